"""Numba and torch on plain arrays: no classes of the floors above, no validation of a user's input, no printing."""
