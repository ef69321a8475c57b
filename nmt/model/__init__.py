"""The network: recurrence, encoder, attention, decoder and loss."""
