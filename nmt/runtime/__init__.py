"""The network without PyTorch: graphs that ONNX Runtime computes, and a step model on NumPy arrays over them."""
