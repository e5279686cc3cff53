"""What a person chose in the app and keeps: theme, glyphs, keys. One small JSON file, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


def path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "mtui" / "preferences.json"


@dataclass(frozen=True, slots=True)
class Preferences:
    """`keys` maps the id of a binding to its keys, separated by commas: {"study.cancel": "x"}."""

    theme: str = ""
    ascii: bool | None = None  # None: as the locale can show
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


def read() -> Preferences:
    """The preferences; the defaults where there are none, or for what cannot be understood."""
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
        known = {item.name for item in fields(Preferences)}
        chosen = Preferences(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError):
        return Preferences()
    keys = chosen.keys if isinstance(chosen.keys, dict) else {}
    clean = {str(name): value for name, value in keys.items() if isinstance(value, str)}
    theme = chosen.theme if isinstance(chosen.theme, str) else ""
    return Preferences(theme, chosen.ascii if isinstance(chosen.ascii, bool) else None, clean)


def write(preferences: Preferences) -> None:
    """Keep them; a home that cannot be written keeps nothing, and that is no reason to stop."""
    with suppress(OSError, RuntimeError):
        target = path()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(asdict(preferences), indent=1), encoding="utf-8")
        temporary.replace(target)
