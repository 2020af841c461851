"""What a fitted step is: operations that are data, statistics that merge, and the plan of both."""
