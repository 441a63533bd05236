"""The node's place in a swarm: verbs that change it, and what runs while it lasts."""
