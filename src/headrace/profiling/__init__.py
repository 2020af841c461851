"""The assessment of a table before anything is trained on it: columns, relations, leaks, trends."""
