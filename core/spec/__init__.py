"""From YAML text to a checked `Study`, with every problem of the file placed at its line and column."""

from .checks import load_study, parse_study
from .model import Batch, Dependency, EnvEntry, Parameter, Step, Study
from .problems import Problem, Problems, SpecError

__all__ = [
    "Batch",
    "Dependency",
    "EnvEntry",
    "Parameter",
    "Problem",
    "Problems",
    "SpecError",
    "Step",
    "Study",
    "load_study",
    "parse_study",
]
