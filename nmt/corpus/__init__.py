"""Parallel text: recognised, read, filtered, held out, encoded, kept on disk, mixed and cut into batches.

It must never know models, or what a run does with its batches.
"""
