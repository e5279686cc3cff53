"""Drives a study: the loop, and its parts by external effect."""

from .driver import BEGINS_ANEW, HANDED_OVER, Driver
from .event_log import Listener
from .successor import say_ready, start_successor

__all__ = ["BEGINS_ANEW", "HANDED_OVER", "Driver", "Listener", "say_ready", "start_successor"]
