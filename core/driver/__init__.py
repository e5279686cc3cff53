"""Drives a study: the loop, what it does in the outside world, and who is to drive."""

from .drive import Listener
from .loop import Driver
from .supervisor import Purpose, Supervisor, SupervisorListener

__all__ = ["Driver", "Listener", "Purpose", "Supervisor", "SupervisorListener"]
