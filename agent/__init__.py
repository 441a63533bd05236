"""The node: composition of the daemon."""
