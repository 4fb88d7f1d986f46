"""The DaemonSet's loop: each diagnosis a child process, and a child that follows the journal in between."""
