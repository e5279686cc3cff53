"""JSON output of the verbs: one object on stdout. docs/json.md describes every field."""

from __future__ import annotations

import json
from collections.abc import Mapping

VERSION = 1  # increased when a field is removed or changes its meaning, not for a new field


def print_json(record: Mapping[str, object]) -> None:
    """Print a record, in ASCII so that names that are not UTF-8 are kept as well."""
    print(json.dumps({"version": VERSION, **record}, indent=1, allow_nan=False))
