"""Power cuts: a machine stops at a random moment, and a new driver goes on from what its disk holds."""
