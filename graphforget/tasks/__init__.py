"""What a model is trained and judged for: data, split, objective, scores and metrics."""
