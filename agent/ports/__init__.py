"""What the agent's verbs need of the world, as Protocols that adapters fulfil."""
