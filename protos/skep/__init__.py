"""Generated code lives below, by version."""
