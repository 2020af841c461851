"""The network at the end of a pipeline: its features, its target, its architectures."""
