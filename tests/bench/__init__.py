"""Benchmarks: each against its peer in the same run, printed as ratios. No verdict depends on a time."""
