"""Verbs on networks and sandboxes, one per file."""
