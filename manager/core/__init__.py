"""Decisions of the manager: pure code."""
