"""What peers and agents call over gRPC: servicers decode, call one verb, encode."""
