"""Decisions of the agent: pure code."""
