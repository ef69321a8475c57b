"""What tasks are compared with: well-known models without a network, on the same text."""
