"""What services send, as they send it: chunks in the form of dicts, and what they say."""
