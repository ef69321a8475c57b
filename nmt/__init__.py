"""nmt: train a neural translator on your own parallel text, then translate as a Unix filter."""

__version__ = "0.1.0"
