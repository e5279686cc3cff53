"""The list that a driver writes, as a leader reads it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mtui.core.packing.protocol import (
    END_TEXT,
    Cancel,
    Dispatch,
    End,
    ListReader,
    ResourceRequest,
    WorkItem,
    cancel_text,
    dispatch_text,
)

ITEMS = (
    WorkItem("1.1", ResourceRequest(), "a/x y", "a.sh", "a"),
    WorkItem("2.1", ResourceRequest(2, 8, 4, 1, 100, 60, True), "b", "b.sh", "b", ("1.1", "=3")),
)
BARRIERS = {"3": tuple(f"{number}.1" for number in range(1200))}
TEXT = dispatch_text("9", ITEMS, BARRIERS) + cancel_text(["1.1", "2.1"]) + END_TEXT
ORDERS = [Dispatch("9", ITEMS, BARRIERS), Cancel("1.1"), Cancel("2.1"), End()]


def test_what_is_written_is_read() -> None:
    assert ListReader().feed(TEXT) == ORDERS


@given(st.lists(st.integers(0, len(TEXT)), max_size=5))
def test_it_does_not_matter_how_it_arrives(cuts: list[int]) -> None:
    reader = ListReader()
    places = [0, *sorted(cuts), len(TEXT)]
    found = [order for first, last in pairwise(places) for order in reader.feed(TEXT[first:last])]
    assert found == ORDERS


@given(st.integers(0, len(TEXT) - 1))
def test_what_is_cut_short_does_not_count(length: int) -> None:
    """Neither a gift nor a cancel, wherever it was cut, and whatever is written after it."""
    reader = ListReader()
    before = reader.feed(TEXT[:length])
    assert before == ORDERS[: len(before)]
    for text, orders in ((END_TEXT, [End()]), (dispatch_text("9", ITEMS, {}), [Dispatch("9", ITEMS, {})])):
        assert reader.feed(text) == orders


@given(st.text())
def test_garbage_is_passed_over(text: str) -> None:
    reader = ListReader()
    reader.feed(text)
    assert reader.feed(dispatch_text("9", ITEMS, {}))[-1:] == [Dispatch("9", ITEMS, {})]


def test_default_request_is_one() -> None:
    text = dispatch_text("1", [WorkItem("1.1", ResourceRequest(0, 0, 0), "a", "a.sh", "a")], {})
    assert ListReader().feed(text) == [
        Dispatch("1", (WorkItem("1.1", ResourceRequest(1, 1, 1), "a", "a.sh", "a"),), {})
    ]
