"""Consensus as a state machine: ticks and messages in, what to store, send and apply out."""
