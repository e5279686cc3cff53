"""Values of the command line that override those of the file: `--params A=1,2,3` and `--set NAME=VALUE`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import UsageError
from .problems import NOWHERE, Problems, nearest
from .ranges import RangeError, numbers
from .study_spec import EnvEntry

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?")


@dataclass(frozen=True, slots=True)
class CommandLineValues:
    """Values of parameters, and of entries of `env`, by name."""

    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    entries: Mapping[str, str] = field(default_factory=dict[str, str])
    generator: bool = False  # a generator file (--pgen) replaces all parameters


NO_VALUES = CommandLineValues()


def read_command_line_values(
    params: Iterable[str], entries: Iterable[str], *, generator: bool = False
) -> CommandLineValues:
    """Parse the NAME=VALUES texts of --params and the NAME=VALUE texts of --set. Raises UsageError."""
    parameters = {name: _values(name, text) for name, text in _pairs("--params", params, "1,2,3").items()}
    return CommandLineValues(parameters, _pairs("--set", entries, "VALUE"), generator)


def command_line_words(params: Iterable[str], entries: Iterable[str]) -> tuple[str, ...]:
    """Return the options as words of a command line."""
    pairs = [*(("--params", text) for text in params), *(("--set", text) for text in entries)]
    return tuple(word for pair in pairs for word in pair)


def _pairs(option: str, texts: Iterable[str], example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(
                f"{option} '{text}' is not NAME=VALUE", f"write for example {option} {name or 'NAME'}={example}"
            )
        if name in pairs:
            raise UsageError(f"{option} {name} is given twice", "keep only one")
        if not value.strip():
            raise UsageError(f"{option} {name} has no value", f"write for example {option} {name}={example}")
        pairs[name] = value
    return pairs


def _values(name: str, text: str) -> tuple[str, ...]:
    """Parse comma-separated values; `1..10` and `0..1..0.25` are ranges, a comma in quotes does not separate."""
    found: list[str] = []
    try:
        (items,) = csv.reader([text], strict=True)
        for item in (item.strip() for item in items):
            bounds = _RANGE.fullmatch(item)
            found += numbers(*(bound for bound in bounds.groups() if bound)) if bounds else [item]
    except (RangeError, csv.Error, ValueError) as error:
        raise UsageError(f"--params {name}: {error}", getattr(error, "hint", "")) from None
    if "" in found:
        raise UsageError(f"--params {name}: value {found.index('') + 1} is empty", "separate values with commas: 1,2,3")
    return tuple(found)


def set_entries(entries: Sequence[EnvEntry], given: CommandLineValues, problems: Problems) -> tuple[EnvEntry, ...]:
    """Return the entries of `env` with the given values; report names that `env` does not have."""
    names = [entry.name for entry in entries]
    for name in given.entries:
        if name not in names:
            hint = nearest(name, names) if names else "the study has no env.variables"
            problems.error(NOWHERE, f"--set {name}: env has no entry '{name}'", hint)
    return tuple(
        replace(entry, raw=_as_yaml_would(given.entries[entry.name])) if entry.name in given.entries else entry
        for entry in entries
    )


def _as_yaml_would(text: str) -> str | int | float:
    """Return a number if its str() is the same text: a generator can calculate with it, its token stays the same."""
    for kind in (int, float) if text[-1].isdigit() else ():
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text:
            return number
    return text
