"""Experiments: a plan, carried out over seeds, methods and a gold model, and kept in a folder that can be resumed."""
