"""The estimate: within its range where the past allows one, and frank where it does not."""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.tui.views.estimate import Estimate, Estimator, span_words
from tests.plans import plan, step

START = 1_700_000_000.0
SWEEP = plan(step("sim", uses="A"), rows={"A": range(200)})


class Run:
    """A study that runs in the test's own time. `lasts` says how long an instance of a step runs."""

    def __init__(self, plan: Plan, lasts: Callable[[int], float], at_once: int = 10) -> None:
        self.state = StudyState(plan)
        self.estimator = Estimator(plan)
        self.now = START
        self._lasts = lasts
        self._at_once = at_once
        self._ends: list[tuple[float, int]] = []
        self.do(ev.DriverStarted(at=START, epoch=1, host="h", pid=1, version="1"))

    def do(self, *events: ev.Event) -> None:
        for event in events:
            self.state.apply(event)
            self.estimator.note(event, self.state)

    def go(self, until: float = float("inf"), end: Status = Status.FINISHED) -> None:
        """Let instances start and end until so many seconds after the start."""
        self._start()
        while self._ends and self._ends[0][0] <= START + until:
            self.now, index = heapq.heappop(self._ends)
            self.do(ev.Ended(at=self.now, instance=index, attempt=1, status=end))
            self._start()
        self.now = max(self.now, START + until) if self._ends else self.now

    def _start(self) -> None:
        while any(self.state.ready) and len(self.state.live_slurm) < self._at_once:
            index = next(index for queue in self.state.ready for index in queue)
            name = str(index)
            self.do(ev.SubmitIntended(at=self.now, submission=name, backend="slurm", members=((index, 1),)))
            self.do(ev.Submitted(at=self.now, submission=name, job=name))
            self.do(ev.Started(at=self.now, instance=index, attempt=1, job=name, node="n"))
            lasts = self._lasts(self.state.plan.instances[index].step)
            heapq.heappush(self._ends, (self.now + lasts, index))

    def estimate(self, later: float = 0.0) -> Estimate:
        return self.estimator.estimate(self.state, self.now + later)


def _always(seconds: float) -> Callable[[int], float]:
    return lambda _: seconds


def _noisy(*seconds: float) -> Callable[[int], float]:
    chance = random.Random(1)
    return lambda step: seconds[step] * chance.uniform(0.7, 1.3)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9])
def test_the_true_time_lies_in_the_range(share: float) -> None:
    whole = Run(SWEEP, _noisy(60))
    whole.go()
    took = whole.now - START
    run = Run(SWEEP, _noisy(60))
    run.go(share * took)
    found = run.estimate()
    assert found.low is not None
    assert found.high is not None
    assert found.low <= took - share * took <= found.high < 4 * found.low
    assert re.fullmatch(r"about \w+ left|\w+-\w+ left", found.words)
    assert found.rate_per_minute == pytest.approx(200 / took * 60, rel=0.2)
    assert (found.done, found.total) == (run.state.counts[Status.FINISHED], 200)


def test_the_range_is_narrower_the_more_has_ended() -> None:
    run = Run(SWEEP, _always(60))
    run.go(60)
    few = run.estimate()
    run.go(600)
    many = run.estimate()
    assert few.low and few.high and many.low and many.high
    assert many.high / many.low < few.high / few.low
    assert many.words == "about 10m left"


def test_the_same_from_a_state_that_others_led_to() -> None:
    run = Run(SWEEP, _noisy(60))
    run.go(600)
    other = Estimator(SWEEP)
    other.resume_from(run.state)
    assert other.estimate(run.state, run.now) == run.estimate()
    assert other.began == run.estimator.began == START
    run.go()
    other.resume_from(run.state)
    assert other.estimate(run.state, run.now).words == "nothing left to do"


def test_a_study_whose_driver_has_not_started_is_not_stalled() -> None:
    state = StudyState(SWEEP)
    assert Estimator(SWEEP).estimate(state, START).words == "unknown: too early"


def test_nothing_is_known_before_something_has_finished() -> None:
    run = Run(SWEEP, _always(60))
    assert run.estimate().words == "unknown: too early"
    run.go(59)
    found = run.estimate()
    assert found == Estimate(0, 200, None, None, None, "unknown: too early")


def test_jobs_that_wait_in_the_queue_from_the_start() -> None:
    run = Run(SWEEP, _always(60))
    run.do(ev.SubmitIntended(at=START, submission="a", backend="slurm", members=((0, 1),)))
    run.do(ev.Submitted(at=START, submission="a", job="1"))
    assert run.estimate(1000).words == "unknown: waits in the queue"


def test_a_step_that_never_finished_leaves_the_end_open() -> None:
    stages = plan(step("gen", uses="A"), step("sim", "gen_*", uses="A"), rows={"A": range(100)})
    run = Run(stages, _always(60))
    run.go(300)
    found = run.estimate()
    assert found.high is None
    assert found.low and found.low <= 300
    assert re.fullmatch(r"more than \w+ left", found.words)
    chain = plan(step("a"), step("b", "a"))
    run = Run(chain, _always(60))
    run.go(70)
    assert run.estimate().words == "time left unknown yet"


def test_few_instances_that_never_finished_do_not_hide_the_rest() -> None:
    funnel = plan(step("sim", uses="A"), step("report", "sim_*"), rows={"A": range(200)})
    run = Run(funnel, _always(60))
    run.go(600)
    found = run.estimate()
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 660 <= found.high


def test_a_chain_of_steps_cannot_be_faster_than_its_longest_way() -> None:
    chain = plan(step("a", uses="A"), step("b", "a"), step("c", "b"), rows={"A": range(30)})
    run = Run(chain, _always(100), at_once=1000)
    run.go(299)
    for index in range(60, 90):
        assert run.state.status[index] is Status.RUNNING
    run.do(*(ev.Ended(at=run.now, instance=index, attempt=1, status=Status.FINISHED) for index in (60, 61)))
    assert (run.estimate().low or 0) < 2
    one = plan(step("a", uses="A"), step("b", "a"), rows={"A": range(2)})
    run = Run(one, _always(100), at_once=1)
    run.go(450)  # the last instance began at 300, so it is late
    assert run.estimate().done == 4


def test_a_late_one_is_not_expected_any_moment() -> None:
    chance = iter([60.0] * 199 + [10_000.0])
    run = Run(SWEEP, lambda _: next(chance))
    run.go(1140 + 3000)
    found = run.estimate()
    assert found.done == 199
    assert found.high is not None
    assert found.high >= 3000  # it may take as long again


def test_what_does_not_come_is_not_waited_for() -> None:
    pair = plan(step("a", uses="A"), step("b", "a"), rows={"A": range(50)})
    run = Run(pair, _always(60), at_once=25)
    run.go(61)
    run.go(121, Status.FAILED)
    failed = run.state.counts[Status.FAILED]
    assert failed
    assert run.state.counts[Status.BLOCKED] == failed
    run.go()
    assert run.estimate().words == "nothing left to do"
    assert (run.estimate().low, run.estimate().high) == (0.0, 0.0)


def test_dependents_of_held_ones_are_stalled_too() -> None:
    run = Run(plan(step("a"), step("b", "a"), step("c", "b")), _always(60))
    run.go(30)
    run.do(ev.Held(at=run.now, instance=1))
    run.go(61)
    assert run.estimate().words == "stalled: 1 held"


def test_stalled() -> None:
    run = Run(SWEEP, _always(60))
    assert run.estimate(10).words == "unknown: too early"  # it may be about to begin
    assert run.estimate(100).words == "stalled: nothing runs"
    run.go(600)
    for index in range(200):
        if run.state.status[index] is Status.READY:
            run.do(ev.Held(at=run.now, instance=index))
    run._at_once = 0
    run.go()
    assert re.fullmatch(r"stalled: \d+ held", run.estimate().words)


def test_a_stopped_driver_and_a_silent_slurm_are_reported() -> None:
    run = Run(SWEEP, _always(60))
    run.go(600)
    run.do(ev.SlurmSilent(at=run.now, message="no route"))
    assert run.estimate().words == "unknown: Slurm does not answer"
    run.do(ev.SlurmAnswers(at=run.now))
    run.do(ev.DriverStopped(at=run.now, reason="detached"))
    assert run.estimate().words == "unknown: no driver runs"


def test_time_without_a_driver_does_not_count() -> None:
    run = Run(SWEEP, _always(60))
    run.go(600)
    before = run.estimate()
    run.do(ev.DriverStopped(at=run.now, reason="detached"))
    night = 36_000
    run.now += night
    run.do(ev.DriverStarted(at=run.now, epoch=2, host="h", pid=2, version="1"))
    run._ends = [(run.now + 5, index) for _, index in run._ends]
    run.go(600 + night + 70)
    after = run.estimate()
    assert before.high and after.high
    assert after.high < 2 * before.high


def test_local_steps_and_jobs_that_go_back_to_the_queue() -> None:
    mixed = plan(step("here", uses="A", local=True), step("there", uses="A"), rows={"A": range(3)})
    run = Run(mixed, _always(60))
    run.do(ev.SubmitIntended(at=START, submission="x", backend="local", members=((0, 1),)))
    run.do(ev.Submitted(at=START, submission="x", job="1", node="h"))
    run.do(ev.Ended(at=START + 30, instance=0, attempt=1, status=Status.FINISHED))
    run.do(ev.SubmitIntended(at=START, submission="y", backend="slurm", members=((3, 1),)))
    run.do(ev.Submitted(at=START, submission="y", job="2"))
    run.do(ev.Started(at=START, instance=3, attempt=1, job="2", node="n"))
    run.do(ev.Observed(at=START + 9, instance=3, attempt=1, status=Status.REQUEUED))
    assert run.estimate(9).high is None
    run.do(ev.Started(at=START + 40, instance=3, attempt=1, job="2", node="n"))
    run.do(ev.Ended(at=START + 50, instance=3, attempt=1, status=Status.FINISHED))
    found = run.estimate(50)
    assert found.low is not None
    assert found.high is not None
    assert found.rate_per_minute


def test_a_study_with_no_instances() -> None:
    none = plan(step("a", uses="A"), rows={"A": []})
    found = Estimator(none).estimate(StudyState(none), START)
    assert (found.total, found.words) == (0, "nothing left to do")


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.integers(0, 3)), max_size=40))
def test_clocks_that_jump_break_nothing(jumps: list[tuple[float, int]]) -> None:
    run = Run(plan(step("a", uses="A"), step("b", "a"), rows={"A": range(9)}), _always(60), at_once=3)
    for jump, ends in jumps:
        run._start()
        run.now = max(1.0, run.now + jump)
        for _ in range(min(ends, len(run._ends))):
            _, index = heapq.heappop(run._ends)
            run.do(ev.Ended(at=run.now, instance=index, attempt=1, status=Status.FINISHED))
        found = run.estimate()
        assert found.words
        assert found.low is None or found.low >= 0
        assert found.high is None or (found.low is not None and found.high >= found.low)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (0, "0s"),
        (45.9, "45s"),
        (60, "1m00s"),
        (192, "3m12s"),
        (7500, "2h05m"),
        (86_399, "23h59m"),
        (97_200, "1d03h"),
        (8_640_000, "100d00h"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    assert span_words(seconds) == words
