"""How each cell is laid out in graphs, a file each; a cell without one here translates with PyTorch alone."""
