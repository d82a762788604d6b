"""Quantization of a float .tflite file, with the ranges of its activations where needed."""
