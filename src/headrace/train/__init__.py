"""Training: from raw rows to a fitted pipeline, and how it went."""
