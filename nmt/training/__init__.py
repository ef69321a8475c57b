"""The training loop, its optimiser and schedules, and the state that resume needs."""
