"""User settings: one frozen dataclass per command, and the project file."""
