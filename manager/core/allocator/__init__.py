"""What services and tasks need before they can run: ports, networks, addresses."""
