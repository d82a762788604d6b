"""A float .tflite and the ranges of its activations in, a quantized .tflite out."""
