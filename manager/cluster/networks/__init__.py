"""Networks that span the cluster."""
