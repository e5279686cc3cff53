"""The app: its screens and widgets, and how it uses the terminal."""
