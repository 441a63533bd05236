"""What the verbs need of the world, as Protocols; engine/adapters fulfils them."""
