"""Devices: targets, the quantization schemes that they run, delegates and NPUs."""
