"""What the verbs of the command line do and print. main.py says which verb is where."""
