"""Drives a study: the loop, what it does in the outside world, and who is to drive."""

from .driver import Driver
from .event_log import Listener
from .supervisor import Purpose, Supervisor, SupervisorListener

__all__ = ["Driver", "Listener", "Purpose", "Supervisor", "SupervisorListener"]
