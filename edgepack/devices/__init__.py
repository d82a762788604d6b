"""Devices: targets, supported operators, kernel defects, delegates and NPUs."""
