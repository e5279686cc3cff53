"""The verbs of the command line. `main.py` maps each verb to its module."""
