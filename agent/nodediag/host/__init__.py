"""The node we look at; the only room that touches the machine."""
