"""C source text: literals, identifiers, and the model that the emitters write."""
