"""What the app and the command line show, computed without Textual."""
