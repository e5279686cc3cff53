"""What became of a study: gathered once (content.py), told as a page, as Markdown or as a table."""
