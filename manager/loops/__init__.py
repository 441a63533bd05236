"""The leader's loops: each compares what is with what should be, and acts."""
