"""Services: what users want run."""
