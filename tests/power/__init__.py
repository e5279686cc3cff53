"""Power cuts: a machine stops at a random moment, and a new driver resumes from what is on its disk."""
