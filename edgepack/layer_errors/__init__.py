"""Where the error of a quantized model comes from: layer by layer, float against quantized.

A layer is an operator with one tensor that it writes, or an input of the model.
"""
