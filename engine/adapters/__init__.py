"""Effects: the kernel, runc, conmon, registries, SQLite."""
