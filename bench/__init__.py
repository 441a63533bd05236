"""Side-by-side measurements: the same work on several daemons in one run, printed as ratios."""
