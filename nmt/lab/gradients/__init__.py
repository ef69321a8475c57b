"""How far a recurrence's gradient reaches, and how far its memory: tasks, norms, trainings, their results and picture."""
