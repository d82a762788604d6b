"""What a user asks for: one frozen dataclass for each command, and the project file."""
