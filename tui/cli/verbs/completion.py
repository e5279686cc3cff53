"""Shell completion of verbs, options, paths, and the steps and instances of the study on the command line.

The shell runs mtui at each press of TAB with the line so far in its environment (the protocol of argcomplete). To be
fast, this module imports as little as possible, and only this module imports argcomplete.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import argcomplete
from argcomplete.shell_integration import shellcode

from ....core.store.name_index import is_study, names_in
from ..parser import VERBS, make_parser

_MOST = 100  # suggestions; for more, bash asks whether to show them
_FAILED = "failed"  # the same as in core/engine/commands.py, which is slow to import
_SEPARATOR = re.compile(r"[._\-]")
_FIRST_WORD = re.compile(r"\s*\S+\s+(\S*)(\s?)")
_SEVERAL_COMMANDS = re.compile(r"[;&|(\n]")
_START = {
    "bash": "# In ~/.bashrc: eval \"$(mtui completion bash)\"",
    "zsh": "# In ~/.zshrc: eval \"$(mtui completion zsh)\"\n"
    "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }",
    "fish": "# In ~/.config/fish/config.fish: mtui completion fish | source",
}  # fmt: skip


def shell_code(shell: str) -> str:
    """Return the shell code that enables completion, to be evaluated when the shell starts."""
    return f"{_START[shell]}\n{shellcode(['mtui'], shell=shell)}"


def complete() -> None:
    """Print the completions for the shell and end the process. Does not return."""
    try:
        line = with_verb(_line())
        os.environ.update(COMP_LINE=line, COMP_POINT=str(len(line)))
        parser = make_parser()
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                action.completer = _suggest  # pyright: ignore[reportAttributeAccessIssue]
                action.metavar = "STUDY.yaml|DIR"  # the place of the verb, which may be left out
        argcomplete.autocomplete(
            parser,
            always_complete_options=False,
            default_completer=_suggest,  # pyright: ignore[reportArgumentType]
            validator=_is_of_use,
        )
    finally:
        os._exit(1)  # without suggestions, print nothing into the middle of the line


def _line() -> str:
    """Return the command line up to the cursor. zsh passes the whole line, with the commands before this one."""
    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    return _SEVERAL_COMMANDS.split(line)[-1] if os.environ.get("_ARGCOMPLETE_SHELL") == "zsh" else line


def with_verb(line: str) -> str:
    """Insert the verb if it was left out, once it is clear that the first word is not a verb."""
    first = _FIRST_WORD.match(line)
    if first and first.group(1) not in VERBS and (first.group(2) or first.group(1).startswith("-")):
        return f"{line[: first.start(1)]}run {line[first.start(1) :]}"
    return line


def _is_of_use(suggestion: str, prefix: str) -> bool:
    """Return whether a suggestion can be typed and printed: other characters could control the terminal."""
    return suggestion.startswith(prefix) and suggestion.isprintable()


def _suggest(prefix: str, action: argparse.Action, parsed_args: argparse.Namespace, **further: object) -> list[str]:
    """Return the completions of an argument, by its `metavar`."""
    del further
    match action.metavar:
        case "DIR" | "STUDY.yaml" | "STUDY.yaml|DIR":
            return _paths(prefix, () if action.metavar == "DIR" else (".yaml", ".yml"))
        case "FILE" | "PATH":
            return _paths(prefix, ("",))
        case "INSTANCE":
            return bounded(_names(parsed_args)[1], prefix)
        case "INSTANCE|GLOB|STEP|failed":
            steps, instances = _names(parsed_args)
            return bounded(dict.fromkeys([*steps, _FAILED, *instances]) if instances else (), prefix)
        case "KEY=VALUE":
            from ....core.plan.resource_changes import CHANGEABLE

            return [f"{key.replace(' ', '-')}=" for key in CHANGEABLE]
        case _:
            return []


def _names(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the steps and the instances of the study whose directory is on the line."""
    directory = os.path.expandvars(os.path.expanduser(arguments.target or ""))  # noqa: PTH111
    with suppress(OSError):
        return names_in(Path(directory))
    return [], []


def bounded(names: Iterable[str], prefix: str) -> list[str]:
    """Return the names that start with `prefix`; if they are too many, their common beginnings.

    A beginning ends at the next separator, or, if there are still too many, after one more letter.
    """
    found = [name for name in names if name.startswith(prefix)]
    if len(found) <= _MOST:
        return found
    first, last = min(found), max(found)
    common = next((place for place, letter in enumerate(first) if letter != last[place]), len(first))
    cut = [name[: match.end()] if (match := _SEPARATOR.search(name, common)) else name for name in found]
    groups = list(dict.fromkeys(cut))
    return groups if len(groups) <= _MOST else list(dict.fromkeys(name[: common + 1] for name in found))


def _paths(prefix: str, endings: tuple[str, ...]) -> list[str]:
    """Return files with these endings, and directories.

    A study directory is complete; any other directory ends with a slash, so that completion continues inside it.
    """
    folder, slash, start = prefix.rpartition("/")
    hidden = start.startswith(".")
    found: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(os.path.expanduser(folder + slash) or ".") as entries:  # noqa: PTH111
        ours = [one for one in entries if one.name.startswith(start) and one.name.startswith(".") <= hidden]
        few = len(ours) <= _MOST  # a sweep has a link beside each workspace: follow links only among few entries
        found = [one for one in ours if one.name.endswith(endings) or one.is_dir(follow_symlinks=few)]
    if len(found) > _MOST:
        return bounded((folder + slash + one.name for one in found), prefix)
    return sorted(folder + slash + one.name + _slash(one) for one in found)


def _slash(entry: os.DirEntry[str]) -> str:
    return "/" if entry.is_dir() and not is_study(Path(entry.path)) else ""
