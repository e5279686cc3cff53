"""What the app shows, worked out without the app: no Textual, no threads, no clock."""
