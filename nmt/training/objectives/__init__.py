"""What training minimises: a file an objective, each with its formula. They know a batch, and nothing of the loop."""
