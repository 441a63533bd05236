"""Routes of the daemon that are not the engine's."""
