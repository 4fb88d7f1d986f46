"""nodediag: is this Kubernetes node still what its image says it should be, and why is it sick if it is not."""

__version__ = "0.1.0"
