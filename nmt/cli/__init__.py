"""The console commands: they parse, call and print, nothing else.

Only what stands here and in hydra/ ends the process or writes to standard output.
"""
