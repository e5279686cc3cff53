"""The rows of a sweep: a value and a label for every parameter, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..spec.study_spec import Parameter


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """Parameters in order of definition, with `values[p][row]` and `labels[p][row]` of parameter number `p`."""

    keys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, parameters: Iterable[Parameter]) -> ParameterTable:
        columns = tuple(parameters)
        return cls(
            tuple(column.key for column in columns),
            tuple(column.name or column.key for column in columns),
            tuple(column.values for column in columns),
            tuple(column.labels for column in columns),
        )

    def columns(self) -> tuple[Parameter, ...]:
        """Return the parameters, in the form that `of` accepts."""
        columns = zip(self.keys, self.values, self.labels, self.names, strict=True)
        return tuple(Parameter(key, values, labels, name) for key, values, labels, name in columns)

    def combinations(self, used: Sequence[str]) -> list[str]:
        """Return for each row the labels of the used parameters, sorted by key and joined by dots."""
        return [".".join(labels) for labels in self.label_rows(used)]

    def distinct(self, used: Sequence[str]) -> set[tuple[str, ...]]:
        """Return the distinct combinations before they are joined: ("1", "2.3") differs from ("1.2", "3")."""
        return set(self.label_rows(used))

    def label_rows(self, used: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield for each row the labels of the used parameters, sorted by key."""
        return zip(*(self.labels[self.keys.index(key)] for key in sorted(used)), strict=True)

    def value(self, key: str, row: int) -> str:
        return self.values[self.keys.index(key)][row]

    def apply(self, row: int, text: str) -> str:
        """Replace the tokens of the row's labels, then values, then names, each in order of definition."""
        if "$(" not in text:
            return text
        for key, labels in zip(self.keys, self.labels, strict=True):
            text = text.replace(f"$({key}.label)", labels[row])
        for key, values in zip(self.keys, self.values, strict=True):
            text = text.replace(f"$({key})", values[row])
        for key, name in zip(self.keys, self.names, strict=True):
            text = text.replace(f"$({key}.name)", name)
        return text
