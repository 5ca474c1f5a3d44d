"""What is answered instead of a stream, and how a stream is told from it."""
