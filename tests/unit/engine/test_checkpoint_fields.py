"""How a checkpoint stores the fields of the durable state: each as its type says, and none is forgotten."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, make_dataclass
from enum import Enum
from typing import Any, get_type_hints

import pytest

from mtui.core.engine.durable_state import DurableState
from mtui.core.engine.state import StudyState
from mtui.core.engine.state_codec import CODECS, LAYOUT, Damaged, codec_of, from_lines, layout_of, to_lines
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import everything, run, state_of

ONE = plan(step("a"), step("b", "a"))


@dataclass(slots=True)
class Inner:
    name: str
    flag: bool = False
    status: Status | None = None


@dataclass(slots=True)
class Outer:
    inner: Inner
    by_name: dict[str, Inner] = field(default_factory=dict[str, Inner])


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, 3),
        (float | None, None),
        (float | None, 2.5),
        (Status, Status.LOST),
        (Status | None, Status.LOST),
        (Status | None, None),
        (list[Status], [Status.READY, Status.WAITING, Status.BLOCKED]),
        (set[int], {3, 1, 2}),
        (dict[int, None], {3: None, 1: None}),
        (list[dict[int, None]], [{}, {2: None, 1: None}]),
        (dict[int, dict[str, str]], {7: {"nodes": "2"}, 1: {}}),
        (dict[str, tuple[tuple[int, int], ...]], {"s": ((0, 1), (1, 1)), "t": ()}),
        (list[tuple[int, float]], [(0, 0.5)]),
        (Inner, Inner("a")),
        (Inner, Inner("a", status=Status.FAILED)),
        (list[Inner], [Inner("a", flag=True), Inner("b")]),
        (Outer, Outer(Inner("a"), {"b": Inner("b", True, Status.LOST)})),
    ],
    ids=str,
)
def test_value_is_read_as_it_was_stored(hint: Any, value: Any) -> None:
    codec = codec_of(hint)

    read = codec.decode(json.loads(json.dumps(codec.encode(value))))

    assert read == value
    assert type(read) is type(value)
    if isinstance(value, dict):
        assert list(read) == list(value)  # the order of a queue counts


def test_defaults_at_the_end_of_a_record_take_no_room() -> None:
    assert codec_of(Inner).encode(Inner("a")) == ["a"]
    assert codec_of(Inner).encode(Inner("a", status=Status.LOST)) == ["a", False, "lost"]


@pytest.mark.parametrize(
    "hint", [object, bytes, list[object], dict[int, complex], dict[tuple[int, int], str], set[Status], Any, int | str]
)
def test_type_that_cannot_be_stored_is_refused(hint: Any) -> None:
    with pytest.raises(TypeError, match="cannot store"):
        codec_of(hint)


def test_record_with_a_field_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot store"):
        codec_of(make_dataclass("New", [("name", str), ("extra", object)]))


def test_every_field_of_the_durable_state_is_stored() -> None:
    stored = {json.loads(line)[0] for line in [*to_lines(StudyState(ONE))][1:-1]}

    assert stored == {each.name for each in fields(DurableState)} == set(CODECS) == set(get_type_hints(DurableState))


def test_layout_differs_if_a_field_is_added_renamed_moved_or_of_another_type() -> None:
    class Color(Enum):
        RED = "red"

    ways = [
        [("a", "int"), ("b", "str")],
        [("a", "int"), ("b", "str"), ("c", "str")],
        [("a", "int"), ("d", "str")],
        [("b", "str"), ("a", "int")],
        [("a", "int"), ("b", "float")],
        [("a", "int"), ("b", Color)],
    ]

    layouts = [json.dumps(layout_of(make_dataclass("New", way))) for way in ways]

    assert len(set(layouts)) == len(ways)
    assert "red" in layouts[-1]
    assert len(LAYOUT) == 16


def test_large_state_is_read_from_lines_of_at_most_a_thousand_entries() -> None:
    rows = 2500
    state = state_of(plan(step("a", uses="X"), rows={"X": range(rows)}))
    for index in range(rows):
        run(state, index)

    lines = list(to_lines(state))

    longest = max(len(json.loads(line)[1]) for line in lines[1:-1] if json.loads(line)[0] == "attempts")
    assert longest == 1000
    assert everything(from_lines(state.plan, [line.encode() for line in lines])) == everything(state)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"lines":1}', b'["size"]', b'["size",1,2]', b"7", b"null"])
def test_line_that_is_none_of_a_checkpoint_is_damage(line: bytes) -> None:
    lines = [each.encode() for each in to_lines(StudyState(ONE))]

    with pytest.raises(Damaged):
        from_lines(ONE, [lines[0], line, *lines[2:]])
