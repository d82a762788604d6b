"""The ``compare`` command: candidate models compared with their float model."""
