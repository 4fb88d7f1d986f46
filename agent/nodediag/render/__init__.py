"""How a report looks, by the name of its format. Each is imported when it is asked for."""
