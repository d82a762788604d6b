"""Reports as data, one dataclass for each command."""
