"""Tasks: shown to users; they are made and moved on by the leader's loops."""
