"""The command line: its words, what each verb does, and what it prints."""
