"""Clusters: as the last step of a pipeline, or as features for a network."""
