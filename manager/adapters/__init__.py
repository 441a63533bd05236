"""The effects: disk, network, keys. Only the root chooses among them."""
