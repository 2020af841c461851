"""Steps that clean, transform and normalise columns."""
