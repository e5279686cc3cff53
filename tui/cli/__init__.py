"""The command line: the parser, and what each verb does and prints."""
