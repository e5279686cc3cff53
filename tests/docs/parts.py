"""The generated parts of the documents, each made of the product's own tables."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import fields

from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.events import TYPES, Event
from mtui.core.engine.status import IN_SLURM, TABLE, UNSUCCESSFUL, Status, Verb
from mtui.tui.cli.parser import make_parser
from tests.conformance import deviations
from tests.docs.app_keys import key_rows
from tests.docs.markdown import ROOT, read


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([_row(head), "|" + "---|" * len(head), *map(_row, rows)])


# --- the command line


def commands() -> str:
    """A section for each verb: its usage, what it does, its arguments and options."""
    parser = make_parser()
    verbs = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    help_of = {choice.dest: choice.help or "" for choice in verbs._choices_actions}
    return "\n\n".join(_verb(name, verb, help_of[name]) for name, verb in verbs.choices.items())


def _verb(name: str, parser: argparse.ArgumentParser, words: str) -> str:
    rows = [
        (f"`{_written(action)}`", _help(action))
        for action in parser._actions
        if action.help not in (None, argparse.SUPPRESS) and action.dest != "help"
    ]
    options = "" if not rows else "\n\n" + _table(("argument", "meaning"), rows)
    usage = " ".join(
        [
            f"mtui {name}",
            *(["[OPTION ...]"] if any(map(_is_option, parser._actions)) else []),
            *(_place(action) for action in parser._actions if not action.option_strings),
        ]
    )
    return f"### mtui {name}\n\n{words[0].upper()}{words[1:]}.\n\n    {usage}{options}"


def _is_option(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.dest != "help"


def _place(action: argparse.Action) -> str:
    """An argument without an option as it is in a usage line."""
    word = _written(action)
    return {"?": f"[{word}]", "*": f"[{word} ...]", "+": f"{word} ..."}.get(str(action.nargs), word)


def _written(action: argparse.Action) -> str:
    """An argument as one writes it: `-o, --out DIR`."""
    value = action.metavar if isinstance(action.metavar, str) else "|".join(action.choices or ()) or action.dest.upper()
    if not action.option_strings:
        return value
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


# --- the app


def keys() -> str:
    """A table of keys for each screen and pane."""
    parts = [
        f"### {heading}\n\n"
        + _table(("keys", "what they do", "name"), [(f"`{keys}`", words, f"`{name}`") for keys, words, name in rows])
        for heading, rows in key_rows()
    ]
    return "\n\n".join(parts)


# --- states

_IN_SLURM = IN_SLURM - {Status.BOUND}
_BOXES = {"inSlurm": _IN_SLURM, "unsuccessful": UNSUCCESSFUL}  # what the picture shows as one
# What the picture shows: the usual course. Of some verbs only from these states; the rest is in the table alone.
_DRAWN: dict[Verb, frozenset[Status]] = {
    **{verb: TABLE[verb].sources for verb in (Verb.UNLOCK, Verb.BLOCK, Verb.UNBLOCK, Verb.HOLD, Verb.RELEASE)},
    **{verb: TABLE[verb].sources for verb in (Verb.CANCEL, Verb.RETRY, Verb.FREE, Verb.INTEND, Verb.ACCEPT)},
    **{verb: TABLE[verb].sources for verb in (Verb.DOUBT, Verb.REFUSE)},
    Verb.MARK: UNSUCCESSFUL | {Status.BLOCKED},
    Verb.END: _IN_SLURM,
}


def diagram() -> str:
    """The usual course of an instance as a picture."""
    boxes = [f'    state "{_listed(inside)}" as {name}' for name, inside in _BOXES.items()]
    ways: dict[tuple[str, str], list[str]] = {}
    for verb, sources in _DRAWN.items():
        for source in _nodes(sources & TABLE[verb].sources):
            for target in _nodes(TABLE[verb].targets):
                ways.setdefault((source, target), []).append(verb.name.lower())
    arrows = [f"    {source} --> {target}: {', '.join(verbs)}" for (source, target), verbs in ways.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *boxes, "    [*] --> waiting", *arrows, "```"])


def _nodes(statuses: frozenset[Status]) -> list[str]:
    """The names under which the picture has these states, each once."""
    boxes = [
        next((name for name, box in _BOXES.items() if status in box), status.value)
        for status in Status
        if status in statuses
    ]
    return list(dict.fromkeys(boxes))


def transitions() -> str:
    """The whole table."""
    rows = [
        (verb.name.lower(), verb.value, _listed(TABLE[verb].sources), _listed(TABLE[verb].targets)) for verb in Verb
    ]
    return _table(("verb", "what happens", "from", "to"), rows)


def _listed(statuses: frozenset[Status]) -> str:
    return ", ".join(status.value for status in Status if status in statuses)


# --- the journal


def events() -> str:
    """Every kind of event: its fields, and what it means."""
    rows = [(f"`{kind}`", _fields(event), _first_paragraph(event)) for kind, event in TYPES.items()]
    return _table(("type", "fields", "meaning"), rows)


def _fields(event: type[Event]) -> str:
    names = [field.name for field in fields(event) if field.name != "at"]
    if "cause" in names:
        after = names.index("cause") + 1
        names[after:after] = ["cause_code", "cause_fields"]
    return " ".join(f"`{name}`" for name in names)


def _first_paragraph(event: type[Event]) -> str:
    return re.sub(r"\s+", " ", (inspect.getdoc(event) or "").partition("\n\n")[0])


def causes() -> str:
    """Every code of a cause, with the words in which it is shown."""
    rows = [
        (f"`{code.value}`", cause_text(Cause(code, "TEXT", exit_code=1, node="NODE", job="JOB"))) for code in CauseCode
    ]
    return _table(("cause_code", "in words"), rows)


# --- Maestro


def differences() -> str:
    """What mtui makes otherwise than Maestro, by the reason; behind it the specs by which it is tested."""
    by_reason: dict[str, list[str]] = {}
    for name, deviation in deviations.DEVIATIONS.items():
        by_reason.setdefault(f"{_KINDS[type(deviation).__name__]}|{deviation.reason}", []).append(name)
    rows = [(*key.split("|", 1), ", ".join(f"`{name}`" for name in names)) for key, names in sorted(by_reason.items())]
    return _table(("what", "why", "tested by"), rows)


def starts() -> str:
    """What a start of a study makes otherwise on the disk, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for case, found in deviations.STARTS.items():
        by_reason.setdefault(found.reason, []).append(case)
    rows = [(", ".join(cases), reason) for reason, cases in by_reason.items()]
    rows += [(test.removeprefix("test_").replace("_", " "), reason) for test, reason in deviations.OTHERWISE.items()]
    return _table(("case", "why"), rows)


def options() -> str:
    """Options of Maestro's that mean something else here."""
    return _table(("option", "here"), [(f"`{option}`", words) for option, words in deviations.OPTIONS.items()])


_KINDS = {
    "Accepted": "Maestro refuses it, mtui runs it",
    "Refused": "Maestro runs it, mtui refuses it",
    "Differs": "both run it, with other lines",
}

PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "keys": keys,
    "diagram": diagram,
    "transitions": transitions,
    "events": events,
    "causes": causes,
    "differences": differences,
    "starts": starts,
    "options": options,
}
_PART = re.compile(r"(<!-- generated: (\w+) -->\n)(?:.*?\n)??(<!-- end -->)", re.DOTALL)


def renewed(path: str) -> str:
    """A document with its generated parts written again."""
    return _PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}\n{match[3]}", read(path))


def write(path: str) -> None:
    (ROOT / path).write_text(renewed(path), encoding="utf-8")
