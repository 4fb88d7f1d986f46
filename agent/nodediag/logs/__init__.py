"""Levels, matching, grouping: what log entries say, one pass over them."""
