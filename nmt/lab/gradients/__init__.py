"""How far gradients of a recurrence reach: tasks that need memory, norms, trials, their table and picture."""
