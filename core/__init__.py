"""The engine: reads a study, plans it, and runs it on Slurm or on this machine. Knows nothing of the screen."""

__version__ = "0.1.0"
