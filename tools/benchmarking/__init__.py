"""What the benchmarks share: the machine's limits, the arithmetic of a model, and peers beside ours."""
