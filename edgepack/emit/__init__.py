"""Emitters: pure functions that turn a model into source text, one module per file."""
