"""What the manager's sequencing code needs from the outside, as Protocols."""
