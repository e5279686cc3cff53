"""Drives a study: the loop, and what it does in the outside world."""

from .drive import Listener
from .handover import say_ready
from .loop import BEGINS_ANEW, HANDED_OVER, Driver

__all__ = ["BEGINS_ANEW", "HANDED_OVER", "Driver", "Listener", "say_ready"]
