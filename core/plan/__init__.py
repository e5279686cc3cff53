"""From a checked study to a plan: instances, edges, workspaces, scripts. The same study plans the same for ever.

What makes plans and scripts is imported from its own module: whoever only reads a plan is quicker without it.
"""

from .parameter_table import ParameterTable
from .study_plan import Instance, Plan, PlannedStep

__all__ = ["Instance", "ParameterTable", "Plan", "PlannedStep"]
