"""How much a quantized model loses, held against its float model on the same samples."""
