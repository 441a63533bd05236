"""The cluster's authority at work: admit nodes, renew their certificates, change the root."""
