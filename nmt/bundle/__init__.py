"""A trained model on disk: its description, its weights, how it is replaced as a whole and loaded.

It must never know how a model was trained or exported, nor text on disk.
"""
