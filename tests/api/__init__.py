"""The HTTP glue over real sockets, in process."""
