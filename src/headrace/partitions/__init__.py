"""Partitions: parts of a table that travel as plain data, and the workers that are given them."""
