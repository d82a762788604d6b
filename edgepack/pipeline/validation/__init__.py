"""The ``validate`` command: a .tflite file checked against targets."""
