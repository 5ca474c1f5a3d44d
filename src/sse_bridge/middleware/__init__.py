"""Around whole apps: their event streams are made ours, and all else passes."""
