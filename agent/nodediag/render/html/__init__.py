"""The report as one page: a section a module, all of it made by markup.py, which escapes."""
