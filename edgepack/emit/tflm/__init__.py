"""C and C++ for TensorFlow Lite Micro (TFLM), one emitter per firmware file."""
