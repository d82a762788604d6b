"""The ``compare`` command: several models against their float model."""
