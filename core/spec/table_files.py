"""The CSV files that a study names: each is read once, and its problems are reported once, at their lines."""

from __future__ import annotations

import os.path

from .csv_table import read_table
from .problems import Place, Problems, nearest
from .text_files import ReadText, UnreadableFile

_Columns = dict[str, tuple[str, ...]]


class TableFiles:
    """The columns of CSV files. A path is relative to the study file."""

    def __init__(self, read: ReadText, problems: Problems) -> None:
        self._read = read
        self._problems = problems
        self._tables: dict[str, _Columns | UnreadableFile | None] = {}

    def columns(self, file: str, place: Place) -> _Columns | None:
        """Return all columns of a file; None after a problem. `place` is where the study names the file."""
        path = os.path.join(os.path.dirname(self._problems.file), os.path.expanduser(file))  # noqa: PTH111, PTH118, PTH120
        if path not in self._tables:
            self._tables[path] = self._load(path)
        table = self._tables[path]
        if isinstance(table, UnreadableFile):
            hint = "tokens are not replaced here" if "$(" in file else "a path is relative to the study's file"
            self._problems.error(place, f"{file}: {table.why}", hint)
            return None
        return table

    def column(self, file: str, name: str, place: Place, what: str) -> tuple[str, ...] | None:
        """Return one column; None after a problem. `what` begins the message."""
        table = self.columns(file, place)
        if table is None:
            return None
        if name not in table:
            self._problems.error(place, f"{what}: {file} has no column '{name}'", nearest(name, table))
        return table.get(name)

    def _load(self, path: str) -> _Columns | UnreadableFile | None:
        text = self._read(path, "a CSV file")
        if isinstance(text, UnreadableFile):
            return text
        own = Problems(path)
        table = read_table(text, own)
        self._problems.adopt(own)
        return table
