"""The ``validate`` command: a .tflite file against targets."""
