"""Runs exported graphs with ONNX Runtime, as a step model on NumPy arrays.

It must never know PyTorch or onnx: what translates an exported bundle needs three packages.
"""
