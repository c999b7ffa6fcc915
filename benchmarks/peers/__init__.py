"""The peers' sides of the comparisons, one file per library; each runs in that library's own environment."""
