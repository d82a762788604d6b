"""Evaluation of quantized models against their float model, on the same samples."""
