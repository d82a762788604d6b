"""Read, check and rewrite .tflite files, and derive the names of layers and MACs of operators."""
