"""Conversion of loaded models to float .tflite files."""
