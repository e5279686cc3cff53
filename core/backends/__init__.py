"""Where instances run: Slurm, or this machine. Backends start and cancel jobs; they make no decisions."""
