"""The verb `unlearn`, what methods share, and the methods, one file each."""
