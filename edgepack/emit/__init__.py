"""Emitters: pure functions from a model to source text, one file each."""
