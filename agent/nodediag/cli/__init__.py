"""The command line: click, one file a verb."""
