"""The private Slurm cluster of the tests, and the tests of it."""
