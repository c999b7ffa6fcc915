"""Errors, random streams, atomic files, locks, registries: what every other floor stands on."""
