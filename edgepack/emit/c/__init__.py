"""C source text: literals, identifiers, and the inputs and outputs of a model."""
