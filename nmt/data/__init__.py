"""Parallel text: the aligned reader, the encoded store on disk, and batches."""
