"""Scores of translations, always with their signatures."""
