"""What the cluster knows and decides."""
