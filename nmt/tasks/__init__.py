"""What differs between the things that a model is trained for; a task knows no training loop."""
