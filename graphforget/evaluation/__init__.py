"""Evidence that a model has forgotten, always beside the gold model."""
