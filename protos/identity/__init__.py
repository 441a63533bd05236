"""Who speaks: tokens, keys, certificates and channels that agents and managers share."""
