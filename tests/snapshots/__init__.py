"""The main screens as they look: text and styles, compared with what was looked at and found good."""
