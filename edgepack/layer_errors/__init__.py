"""Layer-by-layer comparison of a quantized model with its float model, to locate its error.

A layer is an operator together with one of its output tensors, or an input of the model.
"""
