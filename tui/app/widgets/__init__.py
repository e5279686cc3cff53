"""The app's widgets, one in a file."""
