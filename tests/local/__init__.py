"""Studies on this machine alone, and the command line as a new user meets it."""
