"""What is known about devices: targets, operators, kernel defects, delegates and NPUs."""
