"""What verbs tell programs: one JSON object on stdout. docs/json.md describes every field."""

from __future__ import annotations

import json
from collections.abc import Mapping

VERSION = 1  # changes when a field goes or changes its meaning; a new field changes nothing


def print_json(record: Mapping[str, object]) -> None:
    """Print a record. It is ASCII, so that a name that is not UTF-8 comes through as well."""
    print(json.dumps({"version": VERSION, **record}, indent=1, allow_nan=False))
