"""Which node runs which task: pure functions of what is known of the nodes."""
