"""From a checked `StudySpec` to a plan: instances, edges, workspaces, scripts. Planning is deterministic.

The modules that create plans and scripts are not imported here: code that only reads a plan starts faster.
"""

from .parameter_table import ParameterTable
from .study_plan import Instance, Plan, PlannedStep

__all__ = ["Instance", "ParameterTable", "Plan", "PlannedStep"]
