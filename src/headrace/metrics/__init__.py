"""Metrics: what training watches, evaluation reports and tuning compares."""
