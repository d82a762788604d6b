"""Device descriptions, one TOML file each, read by :mod:`edgepack.devices.target`."""
