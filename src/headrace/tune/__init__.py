"""Can it be better: search spaces, a study that survives being stopped, and its result."""
