"""Where instances run: Slurm, or this machine. Each backend starts and stops; it decides nothing."""
