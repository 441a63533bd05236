"""Reading tars that nobody vouches for: the parser, its sources, and the process that unpacks."""
