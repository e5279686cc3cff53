"""From YAML text to a checked `StudySpec`; every problem of the file has its line and column.

The parser and the checks are not imported here: code that reads an existing plan does not need them.
"""

from .problems import Problem, Problems, SpecError
from .study_spec import Batch, Dependency, EnvEntry, Parameter, Step, StudySpec

__all__ = [
    "Batch",
    "Dependency",
    "EnvEntry",
    "Parameter",
    "Problem",
    "Problems",
    "SpecError",
    "Step",
    "StudySpec",
]
