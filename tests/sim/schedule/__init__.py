"""Seeded schedules: cores on simulated clocks, network and disks, under faults."""
