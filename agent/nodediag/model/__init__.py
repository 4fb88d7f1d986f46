"""The nouns: what crosses a door between two rooms. Imports nothing of ours."""
