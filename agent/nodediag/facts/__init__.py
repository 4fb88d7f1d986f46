"""What is: one module for each thing that can be known of a node."""
