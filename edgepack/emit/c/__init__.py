"""C source text: literals, identifiers, and the model description that the emitters read."""
