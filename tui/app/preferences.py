"""The user's preferences in the app: theme, glyphs, keys. They are in one small JSON file, written atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ...core.file_reading import read_text


def preferences_path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "mtui" / "preferences.json"


@dataclass(frozen=True, slots=True)
class Preferences:
    """`keys` maps the ID of a binding to its keys, separated by commas: {"study.cancel": "x"}."""

    theme: str = ""
    ascii: bool | None = None  # None: use what the locale supports
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


def read_preferences() -> Preferences:
    """Read the preferences; missing or invalid ones get their defaults."""
    try:
        content = json.loads(read_text(preferences_path()))
        known = {item.name for item in fields(Preferences)}
        chosen = Preferences(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError):
        return Preferences()
    keys = chosen.keys if isinstance(chosen.keys, dict) else {}
    clean = {str(name): value for name, value in keys.items() if isinstance(value, str)}
    theme = chosen.theme if isinstance(chosen.theme, str) else ""
    return Preferences(theme, chosen.ascii if isinstance(chosen.ascii, bool) else None, clean)


def preferences_problem() -> str:
    """Return why the file of the preferences has no effect; empty if it has, or does not exist."""
    path = preferences_path()
    try:
        is_object = isinstance(json.loads(read_text(path)), dict)
    except ValueError:
        is_object = False
    except (OSError, RuntimeError):  # it does not exist, or there is no home
        return ""
    return "" if is_object else f"{path} is not a JSON object, so it has no effect"


def write_preferences(preferences: Preferences) -> None:
    """Write the preferences; errors are ignored, because a read-only home directory is no reason to stop."""
    with suppress(OSError, RuntimeError):
        target = preferences_path()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(asdict(preferences), indent=1), encoding="utf-8")
        temporary.replace(target)
