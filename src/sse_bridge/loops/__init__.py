"""How to wait: one module for each kind of loop."""
