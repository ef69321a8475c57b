"""Scripts that a peer's own Python runs: they import the peer and the standard library, never nmt."""
