"""Records a session in a terminal as a moving picture: `python -m tests.recording`."""
