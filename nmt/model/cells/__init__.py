"""The recurrences, a file each; a cell knows neither encoder nor decoder."""
