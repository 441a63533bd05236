"""Version, info and disk usage."""
