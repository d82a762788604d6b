"""What every other package may use: errors, findings, progress, signals, JSON."""
