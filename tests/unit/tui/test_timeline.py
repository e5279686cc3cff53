"""The timeline: its axis, bars and counts as text."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.engine.attempt import Attempt
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.tui.views import timeline as tl
from mtui.tui.views.appearance import StatusGroup
from tests.plans import plan, step

NOON = 1_795_262_400.0  # 12:00 UTC
SWEEP = plan(step("sim", uses="A"), rows={"A": range(40)})


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _attempt(submitted: float, started: float = 0.0, ended: float = 0.0, number: int = 1, **more: bool) -> Attempt:
    """An attempt with times as seconds after noon; 0 for what did not come."""
    times = [NOON + at if at else 0.0 for at in (submitted, started, ended)]
    return Attempt(number, "s", "slurm", "7", "n1", *times, **more)  # pyright: ignore[reportArgumentType]


def _text(axis: tl.Axis, *attempts: Attempt, status: Status, now: float) -> str:
    pieces = tl.bar(axis, attempts, status, NOON + now, plain=True)
    text = "".join(text for text, _ in pieces)
    assert len(text) == axis.width
    return text.rstrip()


def _bare(end: float, width: int) -> tl.Axis:
    """An axis from noon on without ticks."""
    return tl.Axis(NOON, NOON + end, width, ())


# --- axis


def test_ticks_show_the_wall_clock() -> None:
    axis = tl.axis(NOON - 90, NOON + 3600, 60)
    assert tl.axis_text(axis) == " 12:00" + " " * 10 + "12:15" + " " * 9 + "12:30" + " " * 10 + "12:45" + " " * 10
    assert [column for column, _ in axis.ticks] == [1, 16, 30, 45]


def test_a_short_time_is_shown_from_the_beginning() -> None:
    axis = tl.axis(NOON, NOON + 60, 60)
    assert tl.axis_text(axis).split() == ["+00:00", "+00:15", "+00:30", "+00:45"]
    axis = tl.axis(NOON + 4000, NOON + 4010, 60, NOON)
    assert tl.axis_text(axis).split() == ["+1:06:40", "+1:06:42", "+1:06:44", "+1:06:46", "+1:06:48"]


def test_a_long_time_is_shown_in_days() -> None:
    axis = tl.axis(NOON, NOON + 40 * 3600, 60)
    assert tl.axis_text(axis).split() == ["12:00", "22", "Nov", "12:00", "23", "Nov"]
    labels = tl.axis_text(tl.axis(NOON, NOON + 40 * 86400, 80)).split()
    assert labels[1::2] == ["Nov", "Dec", "Dec", "Dec", "Dec"][: len(labels) // 2]


def test_ticks_are_at_whole_hours_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    assert tl.axis_text(tl.axis(NOON, NOON + 5 * 3600, 60)).split() == ["18:00", "19:00", "20:00", "21:00", "22:00"]


def test_now_is_marked_and_hides_no_half_of_a_label() -> None:
    axis = tl.axis(NOON, NOON + 3600, 60)
    assert tl.axis_text(axis, NOON + 3000, plain=True)[50] == "v"
    assert tl.axis_text(axis, NOON + 60, plain=True).startswith(" v     ")
    assert tl.axis_text(axis, NOON + 9999) == tl.axis_text(axis)


# --- bars


def test_queued_running_ended() -> None:
    axis = _bare(20, 20)
    assert _text(axis, _attempt(2, 5, 9.5), status=Status.FINISHED, now=15) == "  ...####="
    assert _text(axis, _attempt(2, 5, 9.5), status=Status.TIMED_OUT, now=15) == "  ...####x"
    assert _text(axis, _attempt(2, 5), status=Status.RUNNING, now=12.5) == "  ...########"
    assert _text(axis, _attempt(2), status=Status.PENDING, now=7.5) == "  ......"
    assert _text(axis, _attempt(2, 0, 5), status=Status.CANCELLED, now=7.5) == "  ...-"
    assert _text(axis, _attempt(2, 5), status=Status.REQUEUED, now=7.5) == "  ......"  # its first start does not count
    assert _text(axis, _attempt(0, 3, 5), status=Status.FINISHED, now=7.5) == "   ##="  # it overtook sbatch's answer
    assert _text(axis, _attempt(0, 0, 5), status=Status.FAILED, now=7.5) == "     x"  # refused
    assert _text(axis, _attempt(0), status=Status.SUBMITTING, now=7.5) == "       ."
    assert _text(axis, _attempt(2), status=Status.READY, now=7.5) == ""  # put off


def test_the_kinds_are_words_of_groups() -> None:
    axis = _bare(10, 10)
    pieces = tl.bar(axis, [_attempt(1, 3, 6)], Status.OUT_OF_MEMORY, NOON + 9, plain=True)
    assert pieces == [(" ", "blank"), ("..", "queued"), ("###x", "failed"), ("   ", "blank")]
    assert {kind for _, kind in pieces} <= {tl.BLANK, *(group.value for group in StatusGroup)}


def test_several_attempts_on_one_line() -> None:
    axis = _bare(20, 20)
    first, killed = _attempt(1, 2, 5), _attempt(6, 7, 9, 2, cancelled=True)
    assert _text(axis, first, killed, _attempt(11, 12, 0, 3), status=Status.RUNNING, now=15) == " .###x.##- .####"
    assert _text(axis, first, status=Status.READY, now=15) == " .###x"  # retried, not yet submitted
    assert _text(axis, first, status=Status.BLOCKED, now=15) == " .###x"


def test_short_attempts_are_drawn_side_by_side() -> None:
    axis = _bare(1000, 10)
    attempts = [_attempt(10 * n + 1, 10 * n + 2, 10 * n + 3, n) for n in range(3)]
    assert _text(axis, *attempts, status=Status.FINISHED, now=500) == "xx="
    late = [_attempt(991 + n, 992 + n, 993 + n, n) for n in range(3)]
    assert _text(axis, *late, status=Status.FINISHED, now=1000)[-1] == "="


def test_what_lies_outside_is_hinted_at() -> None:
    axis = tl.Axis(NOON + 100, NOON + 200, 10, ())
    assert _text(axis, _attempt(1, 2, 3), status=Status.FINISHED, now=300) == "<"
    assert _text(axis, _attempt(201, 202, 203), status=Status.FINISHED, now=300) == "         >"
    assert _text(axis, _attempt(1, 50, 300), status=Status.FINISHED, now=300) == "##########"


def test_ticks_continue_as_guides_between_the_bars() -> None:
    axis = tl.axis(NOON, NOON + 3600, 60)
    text = _text(axis, _attempt(1, 1, 1000), status=Status.FINISHED, now=3600)
    assert text[15] == "#"
    assert [column for column, sign in enumerate(text) if sign == "|"] == [30, 45]


def test_every_glyph_is_narrow_and_plain_ones_are_ascii() -> None:
    axis = tl.axis(NOON, NOON + 3600, 60)
    shown = [tl.axis_text(axis, NOON + 900), tl.sparkline(range(9))]
    plain = [tl.axis_text(axis, NOON + 900, plain=True), tl.sparkline(range(9), plain=True)]
    for status in Status:
        for attempt in (_attempt(1, 600, 1200), _attempt(1, 600)):
            shown += [text for text, _ in tl.bar(axis, [attempt], status, NOON + 1800)]
            plain += [text for text, _ in tl.bar(axis, [attempt], status, NOON + 1800, plain=True)]
    assert {unicodedata.east_asian_width(sign) for sign in "".join(shown)} <= {"N", "Na"}
    assert "".join(plain).isascii()


_TIMES = st.one_of(st.just(0.0), st.floats(-500, 5000))


@given(
    st.lists(st.tuples(_TIMES, _TIMES, _TIMES, st.booleans()), max_size=4),
    st.sampled_from(Status),
    st.floats(0, 2000),
    st.floats(0, 1e6),
    st.integers(1, 200),
    st.floats(-1000, 4000),
)
def test_bars_are_as_wide_as_the_axis(
    times: list[tuple[float, float, float, bool]], status: Status, start: float, span: float, width: int, now: float
) -> None:
    axis = tl.axis(NOON + start, NOON + start + span, width)
    attempts = [_attempt(a, b, c, number, cancelled=flag) for number, (a, b, c, flag) in enumerate(times)]
    pieces = tl.bar(axis, attempts, status, NOON + now)
    assert sum(len(text) for text, _ in pieces) == width
    assert len(tl.axis_text(axis, NOON + now)) == width
    assert all(text for text, _ in pieces)


@given(
    st.lists(st.tuples(st.floats(1, 500), st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=5), st.booleans()
)
def test_no_attempt_is_invisible(times: list[tuple[float, float, float]], fine: bool) -> None:
    at = 1.0
    attempts: list[Attempt] = []
    for pause, waited, ran in times:
        at += pause
        attempts.append(_attempt(at, at + waited, at + waited + ran, len(attempts)))
        at += waited + ran
    axis = _bare(4000, 400 if fine else 50)
    text = _text(axis, *attempts, status=Status.FINISHED, now=4000)
    assert text.count("x") == len(attempts) - 1
    assert text.count("=") == 1


# --- how many at once, and in which order


def _state(*times: tuple[float, float, float]) -> StudyState:
    state = StudyState(SWEEP)
    for index, (submitted, started, ended) in enumerate(times):
        if submitted:
            state.attempts[index] = [_attempt(submitted, started, ended)]
    return state


def test_how_many_run_at_once() -> None:
    state = _state((1, 10, 40), (1, 10, 20), (1, 30, 0), (1, 0, 0))
    axis = _bare(100, 10)
    assert tl.concurrency(state, axis, NOON + 60) == [0, 2, 1, 2, 1, 1, 0, 0, 0, 0]
    late = tl.Axis(NOON + 35, NOON + 45, 2, ())
    assert tl.concurrency(state, late, NOON + 60) == [2, 1]


def test_a_short_run_shows() -> None:
    state = _state(*((1, 50, 51) for _ in range(10)))
    assert tl.concurrency(state, _bare(1000, 10), NOON + 900) == [1] + [0] * 9
    assert tl.sparkline([0, 1, 100], plain=True) == " .#"
    assert tl.sparkline([0, 0]) == "  "


def test_instances_are_sorted_by_their_start() -> None:
    state = _state((30, 0, 0), (10, 50, 60), (0, 0, 0), (20, 21, 22))
    assert tl.order(state) == [1, 3, 0]
    assert tl.order(StudyState(SWEEP)) == []


def test_the_extent_ends_with_the_last_end_or_now() -> None:
    state = _state((30, 40, 90), (10, 50, 60))
    assert tl.extent(state, tl.order(state), NOON + 500) == (NOON + 10, NOON + 90)
    state.live_slurm[1] = None
    assert tl.extent(state, tl.order(state), NOON + 500) == (NOON + 10, NOON + 500)
    assert tl.extent(StudyState(SWEEP), [], NOON) == (NOON, NOON)
