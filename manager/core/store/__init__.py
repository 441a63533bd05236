"""The replicated store, pure: tables, transactions, commands, apply, watch, dump."""
