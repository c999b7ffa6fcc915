"""The zoo: one file per backbone, and what wraps a trained one."""
