"""What the verbs of the command line do and print. cli.py says which verb is where."""
