"""From a model's weights to the ONNX graphs of a variant, written into its bundle (needs onnx).

It must never know who runs the graphs, nor PyTorch.
"""
