"""The Docker Engine API as data, and the HTTP glue that serves it."""
