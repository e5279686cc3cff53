"""The app: its screens and widgets, and its use of the terminal."""
