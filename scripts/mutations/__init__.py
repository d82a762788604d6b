"""Ways to change a .tflite file, and what interpreters make of it without edgepack."""
