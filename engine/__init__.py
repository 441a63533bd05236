"""What one node can do alone: containers, images, networks, volumes."""
