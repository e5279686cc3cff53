"""What this machine offers for running studies, checked by trying it, and what mtui does about each of it."""
