"""From a checked study to a plan: instances, edges, workspaces, scripts. The same study plans the same for ever.

What makes plans and scripts is imported from its own module: whoever only reads a plan is quicker without it.
"""

from .model import Instance, Plan, PlannedStep
from .parameters import ParameterTable

__all__ = ["Instance", "ParameterTable", "Plan", "PlannedStep"]
