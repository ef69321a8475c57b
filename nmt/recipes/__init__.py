"""Ways to make more training text with the models at hand: library calls over training and translation.

Nothing but the commands may import this room, and it must never know Hydra.
"""
