"""What verify_robustness.py is made of: cases, the processes that run them, and what a case must fulfil."""
