"""Ways to wait: threads, greenlets, and the event loops that async sources run on."""
