"""What the dispatcher decides: sessions and their time limits."""
