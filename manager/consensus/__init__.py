"""Consensus in sequence: the core's decisions carried out on disk, network and state machine."""
