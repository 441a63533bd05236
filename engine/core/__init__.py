"""Decisions of the engine: pure code without clock, socket or disk."""
