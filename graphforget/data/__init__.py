"""Graphs, interactions and triples as frozen values; the files they come from, splits, and deletions."""
