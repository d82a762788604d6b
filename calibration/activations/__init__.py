"""Activation ranges of a float model: observed on a dataset, chosen, written into the file."""
