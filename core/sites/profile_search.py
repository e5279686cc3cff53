"""Finds the site profile: the one that a study names, else the one that matches this machine's environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UsageError
from ..file_reading import read_text
from ..spec.problems import nearest
from .profile import Profile, read_profile

NONE = "none"  # the value of a study's `site` that disables profiles
_BUILT_IN = Path(__file__).with_name("profiles")


def find_profile(site: str, beside: Path, environment: Mapping[str, str]) -> Profile | None:
    """Find the profile that a study names (a name, or a path relative to `beside`), else that of this machine.

    Returns None if no profile matches. Raises UsageError for an unknown name, SpecError for a profile with errors.
    """
    if site == NONE:
        return None
    if "/" in site or site.endswith((".yaml", ".yml")):
        return _read(beside / Path(site).expanduser())
    if site:
        for file in _files(environment):
            if file.stem == site:
                return _read(file)
        known = {file.stem for file in _files(environment)}
        folder = own_profiles(environment)
        raise UsageError(f"there is no site '{site}'", nearest(site, known) or f"profiles are in {folder}")
    for file in _files(environment):
        profile = _read(file)
        if profile.recognise and all(environment.get(key) == value for key, value in profile.recognise.items()):
            return profile
    return None


def own_profiles(environment: Mapping[str, str]) -> Path:
    """Return the folder of the user's profiles."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".config")
    return Path(home) / "mtui" / "sites"


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the user's profiles, then the built-in ones; a user's file replaces the built-in one of the same name."""
    own = sorted(own_profiles(environment).glob("*.yaml"))
    yield from own
    names = {file.name for file in own}
    yield from (file for file in sorted(_BUILT_IN.glob("*.yaml")) if file.name not in names)


def _read(file: Path) -> Profile:
    try:
        return read_profile(read_text(file), str(file))
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"cannot read the site's profile {os.fspath(file)}: {error.strerror}") from None
