"""The version, which bundles, states and every command name."""

__version__ = "0.1.0"
