"""The .tflite file: read, checked for damage, rewritten; names of its layers and operators."""
