"""From YAML text to a checked `Study`, with every problem of the file placed at its line and column.

The checks themselves are imported from their own module: whoever has a plan already needs none of them.
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
