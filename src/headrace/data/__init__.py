"""Rows in: sources, schema, the door to canonical columns, splits, and the profile of a table."""
