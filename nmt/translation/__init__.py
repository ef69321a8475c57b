"""Text in, translations out: subwords, batches, search, and the processes that share the work.

It must never know how a model computes (PyTorch or ONNX Runtime), nor how one is trained.
"""
