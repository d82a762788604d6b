"""C and C++ for TensorFlow Lite Micro, one emitter for each file of a firmware."""
