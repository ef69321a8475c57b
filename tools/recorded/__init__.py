"""What tools/results.py is made of: the recorded runs, their page, the check of the README, and running one again."""
