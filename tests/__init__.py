"""Skep's tests: unit, contract, api in process, root on the real kernel."""
