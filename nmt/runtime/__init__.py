"""The network without PyTorch: two graphs that ONNX Runtime computes, and a step model on NumPy arrays over them."""
