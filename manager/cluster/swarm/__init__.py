"""The swarm as a whole: its spec, its tokens, its keys, its members."""
