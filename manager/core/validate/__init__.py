"""What the managers refuse, before anything is stored: one file per kind of spec, pure functions.

`check_<kind>(spec)` returns nothing or raises InvalidArgument, mostly `InvalidSpec`, in Docker's
words: users and tools know them. What needs the store (names taken, secrets missing, ports in use)
is the verbs' to check, inside their transaction.
"""
