"""Benchmarks of speed and memory beside the peers; `scripts/bench` runs them. Not part of the package."""
