"""Reads studies that Maestro runs or has run, to show them; never modifies them."""

from .maestro_directory import MaestroDirectory, find_maestro_study
from .maestro_study import read_maestro_study

__all__ = ["MaestroDirectory", "find_maestro_study", "read_maestro_study"]
