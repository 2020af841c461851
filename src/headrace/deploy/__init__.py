"""Releases: written whole, proved equal to the pipeline, read with care, served quickly."""
