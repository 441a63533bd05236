"""Consensus as real processes on a real disk: killed, frozen, cut off, out of space."""
