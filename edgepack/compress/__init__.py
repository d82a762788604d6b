"""Techniques that change a Keras model before it is converted, one file each."""
