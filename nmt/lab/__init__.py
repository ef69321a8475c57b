"""What shows a model at work, for people who learn and teach: how far gradients reach, what a cell remembers.

Nothing but the commands may import this room, and it must never know Hydra.
"""
