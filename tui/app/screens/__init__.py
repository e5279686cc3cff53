"""The app's screens, one in a file."""
