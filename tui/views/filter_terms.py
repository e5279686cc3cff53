"""The terms of the filter language: their syntax, and their meaning in a plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import translate
from functools import cache

from ...core.engine.status import Status
from ...core.errors import MtuiError
from ...core.plan.study_plan import Plan
from ...core.spec.problems import nearest
from .appearance import LOOKS, StatusGroup

Test = Callable[[str], bool]

_TERM = re.compile(r'(?:[^\s"]|"[^"]*(?:"|\Z))+')
_SIGN = re.compile(r":|[<>]=?|!=|==?")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?\s*", re.ASCII)
_QUOTED = "\0"  # replaces quoted characters while signs are searched


class FilterError(MtuiError):
    """A filter is invalid: its syntax is wrong, or it names an unknown key, state, step or parameter."""


@dataclass(frozen=True, slots=True)
class Term:
    """A parsed term: `value` alone, or `key`, `sign` and `value`."""

    negated: bool
    key: str
    sign: str
    value: str


def parse_terms(text: str) -> Iterator[Term]:
    """Yield the terms of a text, without quotes; empty ones are left out."""
    for found in _TERM.finditer(text):
        plain = mask = ""
        for number, piece in enumerate(found.group().split('"')):
            plain += piece
            mask += _QUOTED * len(piece) if number % 2 else piece
        term = _term(plain, mask)
        if term.value:
            yield term


def _term(plain: str, mask: str) -> Term:
    """Parse one term; `mask` is the same text with quoted characters hidden."""
    start = 0
    while mask.startswith("!", start) and not mask.startswith("!=", start):
        start += 1
    negated = start % 2 == 1
    found = _SIGN.search(mask, start)
    if found is None:
        return Term(negated, "", "", plain[start:])
    key, value = plain[start : found.start()], plain[found.end() :]
    sign = "=" if found.group() == "==" else found.group()
    if not key or not value:
        what = f"before '{sign}'" if not key else f"after '{key}{sign}'"
        raise FilterError(f"nothing {what}", 'write state:failed, SIZE>100, or "a text" in quotes')
    return Term(negated, key, sign, value)


def complete(word: str, known: Iterable[str]) -> str:
    """Return the known word that equals `word`, or the only one that starts with it; else empty."""
    found = [candidate for candidate in known if candidate.startswith(word)]
    return word if word in found else found[0] if len(found) == 1 else ""


def pattern(text: str) -> Test:
    """Return a test whether a text contains this one; a glob must match the whole text. Case is ignored."""
    folded = text.casefold()
    if is_glob(text):
        matches = re.compile(translate(folded)).match
        return lambda other: matches(other.casefold()) is not None
    return lambda other: folded in other.casefold()


def is_glob(text: str) -> bool:
    return "*" in text or "?" in text


# --- states and steps


@cache
def _known_states() -> dict[str, frozenset[Status]]:
    """Return the statuses for each word. The name of a group means the whole group, even if a status has that name."""
    words = {status.value: frozenset({status}) for status in Status}
    words |= {group.value: frozenset(s for s, look in LOOKS.items() if look.group is group) for group in StatusGroup}
    return words


@cache
def state_words() -> tuple[str, ...]:
    """Return the words for states as they are written in one term, groups first."""
    groups = [group.value for group in StatusGroup]
    return tuple(word.replace(" ", "_") for word in (*groups, *sorted(_known_states().keys() - {*groups})))


def states(word: str) -> frozenset[Status]:
    """Return the statuses that a word or its beginning means."""
    known = _known_states()
    plain = re.sub(r"[_\-\s]+", " ", word.casefold()).strip()
    if plain in known:
        return known[plain]
    begin = [candidate for candidate in known if candidate.startswith(plain)]
    if len(begin) > 1:
        raise FilterError(f"'{word}' matches several states", " or ".join(sorted(begin)))
    # The words of the grid's cells are accepted as well.
    shown = {look.word.casefold(): frozenset({status}) for status, look in LOOKS.items()}
    found = known[begin[0]] if begin else shown.get(plain)
    if found is None:
        hint = nearest(plain, state_words()) or "known: " + ", ".join(state_words())
        raise FilterError(f"unknown state '{word}'", hint)
    return found


def steps(word: str, plan: Plan) -> frozenset[int]:
    """Return the step with this name; else those that start with it, else those that contain it."""
    folded, holds = word.casefold(), pattern(word)
    tests: tuple[Test, ...] = (folded.__eq__, lambda name: name.startswith(folded), holds)
    for test in tests:
        found = frozenset(step.index for step in plan.steps if test(step.name.casefold()))
        if found:
            return found
    raise FilterError(f"unknown step '{word}'", nearest(word, (step.name for step in plan.steps)))


# --- parameters


def parameter_names(plan: Plan) -> list[str]:
    return list(dict.fromkeys((*plan.parameters.keys, *plan.parameters.names)))


def comparison(term: Term, plan: Plan) -> tuple[int, Test]:
    """Return the number of the parameter that a term names, and the test of its value."""
    column = _column(plan, term.key)
    equal = _equality(term.value, plan.parameters.values[column])
    number, text = _number(term.value), term.value.casefold()

    def order(value: str) -> int:
        other = _number(value)
        if number is not None and other is not None:
            return (other > number) - (other < number)
        folded = value.casefold()
        return (folded > text) - (folded < text)

    tests: dict[str, Test] = {
        "=": equal,
        "!=": lambda value: not equal(value),
        "<": lambda value: order(value) < 0,
        "<=": lambda value: order(value) <= 0,
        ">": lambda value: order(value) > 0,
        ">=": lambda value: order(value) >= 0,
    }
    return column, tests[term.sign]


def _column(plan: Plan, written: str) -> int:
    """Return the parameter with this key or name; case matters only if names differ by case alone."""
    known = [(number, name) for names in (plan.parameters.keys, plan.parameters.names)
             for number, name in enumerate(names)]  # fmt: skip
    exact = {number for number, name in known if name == written}
    found = exact or {number for number, name in known if name.casefold() == written.casefold()}
    if len(found) > 1:
        choices = " or ".join(plan.parameters.keys[number] for number in sorted(found))
        raise FilterError(f"'{written}' matches several parameters", choices)
    if not found:
        raise FilterError(f"unknown parameter '{written}'", nearest(written, parameter_names(plan)))
    return found.pop()


def _equality(wanted: str, values: Sequence[str]) -> Test:
    """Return a test for equality. Case is ignored, unless a row has exactly this value."""
    number, folded = _number(wanted), wanted.casefold()
    if number is not None:
        return lambda value: value == wanted or number == _number(value)
    if wanted in values:
        return wanted.__eq__
    return pattern(wanted) if is_glob(wanted) else lambda value: value.casefold() == folded


def _number(text: str) -> Decimal | None:
    """Return the text as an exact number: 64-bit seeds may differ in the last digit only."""
    return Decimal(text.strip()) if _NUMBER.fullmatch(text) else None
