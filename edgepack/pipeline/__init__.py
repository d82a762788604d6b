"""The pipelines, one per command: the only package that knows the order of the steps."""
