"""The report of a study: its content (content.py), written as HTML, Markdown, CSV or JSON."""
