"""Scores of translations, always with their signatures; the promises of a bundle, checked."""
