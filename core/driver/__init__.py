"""Drives a study: the loop, and what it does in the outside world."""

from .context import Listener
from .driver import BEGINS_ANEW, HANDED_OVER, Driver
from .successor import say_ready

__all__ = ["BEGINS_ANEW", "HANDED_OVER", "Driver", "Listener", "say_ready"]
