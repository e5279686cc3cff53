"""Replaces the tokens of `env` in every text of a step, in exactly Maestro's order.

An entry whose value contains a `$` is *label-like*, whether it is under `variables` or `labels`; the first entry of
all is always plain. Each entry is applied once: first the label-like ones in order of definition, then dependencies
(paths, then git), then the plain ones, last OUTPUT_PATH and SPECROOT. So a label-like entry may use plain entries,
dependencies, and label-like entries defined after it. An entry OUTPUT_PATH is not applied, but counts as the first
entry if it comes first.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .study_spec import Dependency, DependencyKind, EnvEntry

RESERVED = ("OUTPUT_PATH", "SPECROOT")

Replacement = tuple[str, str]  # the token as written, for example $(NAME), and its value


@dataclass(frozen=True, slots=True)
class Environment:
    """The three groups of replacements, applied in the order of the fields."""

    label_like: tuple[Replacement, ...]
    dependencies: tuple[Replacement, ...]
    plain: tuple[Replacement, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(token[2:-1] for token, _ in self.label_like + self.dependencies + self.plain)

    def apply(self, text: str) -> str:
        """Replace all tokens of the environment in a text."""
        if "$(" not in text:
            return text
        return apply_plain(self.plain, apply_plain(self.dependencies, apply_plain(self.label_like, text)))


def apply_plain(replacements: Iterable[Replacement], text: str) -> str:
    """Apply each replacement once, in order."""
    for token, value in replacements:
        if token in text:
            text = text.replace(token, value)
    return text


def build_environment(
    entries: Iterable[EnvEntry], dependencies: Iterable[Dependency], output_path: str, spec_root: str, cwd: str
) -> tuple[Environment, tuple[Dependency, ...]]:
    """Build the environment of a study. Return it, and the dependencies with their final paths.

    A path dependency is relative to `cwd`, and no tokens are replaced in it, as in Maestro. A git repository is cloned
    into `path/name`; only plain entries are replaced in its path and URL.
    """
    label_like: list[Replacement] = []
    plain: list[Replacement] = []
    for number, entry in enumerate(entries):
        if entry.name == "OUTPUT_PATH":
            continue  # the entry is the parent of study directories; the token is this study's own directory
        is_label = number > 0 and isinstance(entry.raw, str) and "$" in entry.raw
        (label_like if is_label else plain).append((f"$({entry.name})", entry.value))
    plain += [("$(OUTPUT_PATH)", output_path), ("$(SPECROOT)", spec_root)]
    placed: list[Dependency] = []
    for item in sorted(dependencies, key=lambda item: item.kind is DependencyKind.GIT):
        if item.kind is DependencyKind.PATH:
            path = os.path.normpath(os.path.join(cwd, item.path))  # noqa: PTH118
            placed.append(replace(item, path=path))
        else:
            path = os.path.normpath(os.path.join(cwd, apply_plain(plain, item.path), item.name))  # noqa: PTH118
            placed.append(replace(item, path=path, url=apply_plain(plain, item.url)))
    tokens = tuple((f"$({item.name})", item.path) for item in placed)
    return Environment(tuple(label_like), tokens, tuple(plain)), tuple(placed)
