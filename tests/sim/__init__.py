"""Consensus played out without a clock, a network or a disk."""
