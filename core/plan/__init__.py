"""From a checked study to a plan: instances, edges, workspaces, scripts. The same study plans the same for ever."""

from .expand import make_plan
from .model import Instance, Plan, PlannedStep
from .parameters import ParameterTable
from .script import Script, render

__all__ = ["Instance", "ParameterTable", "Plan", "PlannedStep", "Script", "make_plan", "render"]
