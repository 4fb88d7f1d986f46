"""Which image a node runs, step by step, and which profile fits it."""
