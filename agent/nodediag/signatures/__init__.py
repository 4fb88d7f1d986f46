"""Known failures in logs, as data with samples and near misses."""
