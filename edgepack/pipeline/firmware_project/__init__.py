"""The ``firmware`` command: a project with C sources for one target."""
