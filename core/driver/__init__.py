"""Drives a study: the loop, its parts by external effect, and the supervisor that decides who drives."""

from .driver import Driver
from .event_log import Listener
from .supervisor import Purpose, Supervisor, SupervisorListener

__all__ = ["Driver", "Listener", "Purpose", "Supervisor", "SupervisorListener"]
