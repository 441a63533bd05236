"""Verbs on containers, one per file."""
