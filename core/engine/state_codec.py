"""Stores the durable state of a study as lines of text, so that a large one is not rebuilt from all of its events.

Each field of DurableState is stored according to its type; a type that this module cannot store raises TypeError at
import. The journal is authoritative: readers ignore a checkpoint that is damaged, of another version, or with other
fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from hashlib import sha256
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from ..plan.study_plan import Plan
from .durable_state import DurableState
from .state import StudyState

VERSION = 5  # of how types are stored; a change of fields needs no new one
_CHUNK = 1000  # entries in one line: each line holds up other threads for a few milliseconds
_SCALARS = (int, float, str, bool, NoneType)


class Damaged(ValueError):
    """The lines are not a checkpoint of this plan and version."""


def _as_is(value: Any) -> Any:
    return value


class Codec(NamedTuple):
    """Converts values of one type to JSON values, and back."""

    encode: Callable[[Any], Any] = _as_is
    decode: Callable[[Any], Any] = _as_is


def to_lines(state: DurableState) -> Iterator[str]:
    """Yield the state as lines of JSON without newlines: a head, one or more lines for each field, and an end."""
    yield _dump({"v": VERSION, "layout": LAYOUT})
    count = 0
    for name, codec in CODECS.items():
        for part in _chunks(codec.encode(getattr(state, name))):
            yield _dump([name, part])
            count += 1
    yield _dump({"lines": count})


def _chunks(value: Any) -> Iterator[Any]:
    """Yield a value in one part, or a long list in several."""
    if not isinstance(value, list) or len(value) <= _CHUNK:  # pyright: ignore[reportUnknownArgumentType]
        yield value
        return
    for first in range(0, len(value), _CHUNK):  # pyright: ignore[reportUnknownArgumentType]
        yield value[first : first + _CHUNK]


def from_lines(plan: Plan, lines: Iterable[bytes]) -> StudyState:
    """Return the state that `to_lines` wrote; raises Damaged."""
    try:
        stored = _read_fields(iter(lines))
        values = {name: codec.decode(stored[name]) for name, codec in CODECS.items()}
        durable = DurableState(**values)
        if len(durable.status) != len(plan.instances):
            raise Damaged("of another plan")
        return StudyState(plan, durable)
    except Damaged:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from None


def _read_fields(lines: Iterator[bytes]) -> dict[str, Any]:
    """Return the stored values by field, each joined from its lines."""
    head: Any = json.loads(next(lines))
    if (head["v"], head["layout"]) != (VERSION, LAYOUT):
        raise Damaged("of another version")
    stored: dict[str, Any] = {}
    for count, line in enumerate(lines):
        entry: Any = json.loads(line)
        if isinstance(entry, dict):
            if entry != {"lines": count}:
                raise Damaged("not all lines are there")
            return stored
        name, value = entry
        if name in stored:
            stored[name] += value
        else:
            stored[name] = value
    raise Damaged("its end is missing")


def codec_of(hint: Any) -> Codec:
    """Return the codec of a type; raises TypeError for an unsupported type."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return Codec()
    if origin in (Union, UnionType) and len(parts) == 2 and NoneType in parts:
        return _optional(codec_of(next(part for part in parts if part is not NoneType)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Codec(attrgetter("value"), hint)
    if is_dataclass(hint):  # pyright: ignore[reportUnknownArgumentType]
        return _dataclass(hint)
    if origin is list and isinstance(parts[0], type) and issubclass(parts[0], Enum):
        return _letters(parts[0])  # pyright: ignore[reportUnknownArgumentType]
    if origin is list:
        return _sequence(codec_of(parts[0]), list)
    if origin is set and parts[0] is int:
        return Codec(sorted, set)
    if origin is tuple and parts[-1] is Ellipsis:
        return _sequence(codec_of(parts[0]), tuple)
    if origin is tuple and all(part in _SCALARS for part in parts):
        return Codec(decode=tuple)
    if origin is dict and parts[1] is None and parts[0] in _SCALARS:
        return Codec(list, dict.fromkeys)
    if origin is dict and parts[0] in _SCALARS:
        return _mapping(codec_of(parts[1]))
    raise TypeError(f"a checkpoint cannot store {hint}")


def _optional(codec: Codec) -> Codec:
    def encode(value: Any) -> Any:
        return None if value is None else codec.encode(value)

    def decode(value: Any) -> Any:
        return None if value is None else codec.decode(value)

    return Codec(encode, decode)


def _sequence(codec: Codec, kind: Callable[[Iterable[Any]], Any]) -> Codec:
    def encode(values: Iterable[Any]) -> list[Any]:
        return [codec.encode(value) for value in values]

    def decode(values: list[Any]) -> Any:
        return kind(map(codec.decode, values))

    return Codec(encode, decode)


def _mapping(codec: Codec) -> Codec:
    """Stores a dict as a list of pairs: JSON keys are text, these need not be."""

    def encode(values: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
        return [(key, codec.encode(value)) for key, value in values.items()]

    def decode(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        return {key: codec.decode(value) for key, value in pairs}

    return Codec(encode, decode)


def _letters(kind: type[Enum]) -> Codec:
    """Stores a list of enum members as text, one letter each: a study has a status for every instance."""
    letters = {member: chr(ord("A") + number) for number, member in enumerate(kind)}
    members = {letter: member for member, letter in letters.items()}

    def encode(values: Iterable[Enum]) -> str:
        return "".join([letters[value] for value in values])

    def decode(text: str) -> list[Enum]:
        return [members[letter] for letter in text]

    return Codec(encode, decode)


def _dataclass(kind: Any) -> Codec:
    """Stores a dataclass as the list of its field values, without defaults at the end."""
    own: tuple[Field[Any], ...] = fields(kind)
    hints = get_type_hints(kind)
    codecs = [codec_of(hints[field.name]) for field in own]
    encoders = [(place, codec.encode) for place, codec in enumerate(codecs) if codec.encode is not _as_is]
    decoders = [(place, codec.decode) for place, codec in enumerate(codecs) if codec.decode is not _as_is]
    defaults = [field.default for field in own]
    read = attrgetter(*(field.name for field in own))

    def encode(value: Any) -> list[Any]:
        found = read(value) if len(own) > 1 else (read(value),)
        count = len(own)
        while count and found[count - 1] == defaults[count - 1]:  # MISSING never equals a value
            count -= 1
        values = list(found[:count])
        for place, encoder in encoders:
            if place < count:
                values[place] = encoder(values[place])
        return values

    def decode(values: list[Any]) -> Any:
        count = len(values)
        for place, decoder in decoders:
            if place < count:
                values[place] = decoder(values[place])
        return kind(*values)

    return Codec(encode, decode)


def layout_of(kind: Any) -> dict[str, Any]:
    """Return the fields of a dataclass with their types, including all nested types."""
    found: dict[str, Any] = {}
    for hint in _parts(kind):
        if is_dataclass(hint):
            found[hint.__qualname__] = [(field.name, str(field.type)) for field in fields(hint)]  # pyright: ignore
        elif isinstance(hint, type) and issubclass(hint, Enum):
            found[hint.__qualname__] = [member.value for member in hint]
    return found


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    inner = get_type_hints(hint).values() if is_dataclass(hint) else get_args(hint)
    for part in inner:
        yield from _parts(part)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


CODECS = {name: codec_of(hint) for name, hint in get_type_hints(DurableState).items()}
LAYOUT = sha256(_dump(layout_of(DurableState)).encode()).hexdigest()[:16]
