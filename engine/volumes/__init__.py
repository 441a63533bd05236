"""Verbs on volumes, one per file."""
