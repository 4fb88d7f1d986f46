"""What should be: an image's promises, as data with a reason and a source for each."""
