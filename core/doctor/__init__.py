"""Checks of machine, Slurm and directory, by trying each operation; and what mtui does about each result."""
