"""The embedded demo corpus and the recipes of public corpora, shipped as the package ``nmt.corpora``."""
