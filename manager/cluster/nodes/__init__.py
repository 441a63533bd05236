"""Nodes: what users see of them and want of them."""
