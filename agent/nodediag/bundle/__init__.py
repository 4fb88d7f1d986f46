"""What is attached to a ticket: packed, listed, and scanned again for secrets by rules of its own."""
