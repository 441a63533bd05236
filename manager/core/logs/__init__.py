"""Which tasks' logs a reader is shown, and who has them."""
