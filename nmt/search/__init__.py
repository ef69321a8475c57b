"""Search over a step model: greedy and beam, without knowing what the model is made of."""
