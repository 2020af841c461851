"""The ledger: what a model predicted, and what turned out to be true."""
