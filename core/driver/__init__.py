"""Drives a study: the loop, and what it does in the outside world."""

from .loop import Driver, Listener

__all__ = ["Driver", "Listener"]
