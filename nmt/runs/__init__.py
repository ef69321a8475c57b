"""A run's directory and what is kept in it: log, metrics, progress, limits, results, and tables of many runs.

It must never know models or PyTorch, so that a hundred runs are read at once.
"""
