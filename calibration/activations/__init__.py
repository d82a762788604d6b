"""Activation ranges of a float model: observed over a dataset, chosen, written into the file."""
