"""What a user can set: a dataclass a group, each field with its default, its range and one plain sentence.

It must never know Hydra, nor anything but the standard library: --help answers at once, and models load without them.
"""
