"""One training loop, its recipes, checkpoints and model folders."""
