"""Building blocks for all other packages: errors, findings, progress, signals, JSON."""
