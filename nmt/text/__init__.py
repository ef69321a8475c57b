"""Words without a network: subwords, their sampled splits, word alignments and shortlists.

It must never know models, corpora on disk, or PyTorch.
"""
