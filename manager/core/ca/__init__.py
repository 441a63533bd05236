"""What the cluster's authority decides: who may join, when roots change, how often one may try."""
