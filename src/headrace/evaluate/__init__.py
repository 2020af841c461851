"""How good is it: metrics with intervals, comparisons with verdicts, explanation, stability."""
