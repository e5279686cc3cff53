"""What people meet: the command line, the app, and the text forms of everything."""
