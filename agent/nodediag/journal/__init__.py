"""Log reading, several ways, one record."""
