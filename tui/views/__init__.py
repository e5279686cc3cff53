"""What is shown, worked out without Textual: both the app and the command line use it."""
