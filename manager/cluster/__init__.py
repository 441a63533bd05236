"""The verbs of the cluster's nouns, called by routes and RPC."""
