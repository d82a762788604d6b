"""Ways to mutate a .tflite file, and a script that runs it on interpreters without edgepack."""
