"""Documents: a file of a known format is read, its text translated, and all else written as it was; knows no model."""
