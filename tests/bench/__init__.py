"""Benchmarks: each against its peer in the same run, printed as ratios. No verdict hangs on a time."""
