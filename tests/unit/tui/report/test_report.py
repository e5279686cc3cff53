"""The report of a study: what it says, that it is bounded, and that nothing in a study can break it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from mtui.core.backends.backend import JobIdentity
from mtui.core.backends.slurm_text import job_tag
from mtui.core.backends.usage import Usage
from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.store.study_file import Settings, StudyFile
from mtui.tui.report.attempt_table import table_of_attempts
from mtui.tui.report.content import Report, report_of
from mtui.tui.report.html_page import html_page
from mtui.tui.report.markdown import markdown
from mtui.tui.views.appearance import StatusGroup
from tests.plans import plan, step

BEGAN = 1_700_000_000.0
HOSTILE = '<script>alert(1)</script> & "quoted" | `code` _it_ \x1b[31m \u202e [x](y)'
VOID = {"meta", "br"}


def state_of(rows: int = 4, *, name: str = "sim") -> StudyState:
    """Of `sim` the first fails twice, the second times out, the others finish; `all` is blocked."""
    state = StudyState(plan(step(name, uses="X"), step("all", f"{name}_*"), rows={"X": range(rows)}))
    for index in range(rows):
        run(state, index, 1, [Status.FAILED, Status.TIMED_OUT][index] if index < 2 else Status.FINISHED)
    state.apply(ev.Retried(at=BEGAN + 50, instance=0, why="FAILED: retry 1 of 1"))
    run(state, 0, 2, Status.FAILED)
    state.apply(ev.StudyEnded(at=BEGAN + 100, result="failed"))
    return state


def run(state: StudyState, index: int, number: int, status: Status) -> None:
    at, name = BEGAN + 10 * number, f"s{index}.{number}"
    state.apply(ev.SubmitIntended(at=at, submission=name, backend="slurm", members=((index, number),)))
    state.apply(ev.Submitted(at=at, submission=name, job=f"{100 * number + index}"))
    state.apply(ev.Started(at=at + 4, instance=index, attempt=number, job=f"{100 * number + index}", node=f"n{index}"))
    code = 0 if status is Status.FINISHED else 3
    cause = "" if status is Status.FINISHED else f"exit code 3 on n{index}"
    end = ev.Ended(at=at + 9, instance=index, attempt=number, status=status, exit_code=code, cause=text_cause(cause))
    state.apply(end)


THIRD = JobIdentity("102", job_tag("id", "s2.1"))  # the job of the third instance


def study_of(state: StudyState) -> StudyFile:
    return StudyFile("id", BEGAN, "study.yaml", Settings(), state.plan)


def made(state: StudyState, usage: dict[JobIdentity, Usage] | None = None, **more: str) -> Report:
    tail = more.get("tail", "the last line")
    return report_of(
        study_of(state), state, "/out", BEGAN + 200, lambda index: (f"/out/{index}.err", [tail]), usage or {}
    )


class Checked(HTMLParser):
    """Every element is closed in order, and nothing comes from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object", "a")
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def test_it_shows_the_outcome_of_every_step() -> None:
    report = made(state_of())
    sim, everything = report.steps
    assert (sim.name, sim.instances, sim.again) == ("sim", 4, 1)
    assert sim.counts == {StatusGroup.DONE: 2, StatusGroup.FAILED: 2}
    assert sim.ran and (sim.ran.least, sim.ran.middle, sim.ran.most) == (5, 5, 5)
    assert sim.queued and sim.queued.middle == 4
    assert (everything.counts, everything.ran) == ({StatusGroup.BLOCKED: 1}, None)
    assert (report.result, report.took, report.blocked) == ("failed", 100, 1)


def test_failures_are_grouped_by_what_is_the_same_of_their_causes() -> None:
    state = state_of(6)
    report = made(state)
    assert [(item.status, item.cause, item.count) for item in report.failures] == [
        ("failed", "exit code 3", 1),
        ("timed out", "exit code 3", 1),
    ]
    (example,) = report.failures[0].examples
    assert (example.name, example.cause, example.lines) == ("sim_X.0", "exit code 3 on n0", ["the last line"])


def test_page_is_self_contained_and_whole() -> None:
    text = html_page(made(state_of()))
    words = " ".join(Checked(text).words)
    assert "http" not in re.sub(r'http-equiv="\w+"', "", text)
    for reported in (
        "sim_X.0",
        "exit code 3 on n0",
        "the last line",
        "2 done",
        "2 failed",
        "sim_X.0 (2), waited 4s, ran 5s",
    ):
        assert reported in words
    assert "refresh" not in text
    assert '<meta http-equiv="refresh" content="10">' in html_page(made(state_of()), refresh=10)


@pytest.mark.parametrize("make", [html_page, markdown], ids=["page", "markdown"])
def test_nothing_that_a_study_says_is_taken_for_more_than_text(make: Callable[[Report], str]) -> None:
    text = make(made(state_of(name=HOSTILE), tail=HOSTILE))
    assert not any(sign in text for sign in "\x1b\u202e")
    if make is html_page:
        assert "<script>alert(1)</script>" in " ".join(Checked(text).words)
    else:
        outside = [line for line in text.splitlines() if not line.startswith("    ")]
        assert not any(re.search(r"(?<!\\)<script", line) for line in outside)
        table = [line for line in outside if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {7}


def test_table_has_every_attempt_and_every_instance() -> None:
    state = state_of(name=HOSTILE)
    usage = {THIRD: Usage(5, 60, 4, 1, 18.0, 100, 200)}
    rows = list(csv.DictReader(io.StringIO(table_of_attempts(study_of(state), state, usage))))
    assert [(row["attempt"], row["status"], row["param:X"]) for row in rows] == [
        ("1", "failed", "0"),
        ("2", "failed", "0"),
        ("1", "timed out", "1"),
        ("1", "finished", "2"),
        ("1", "finished", "3"),
        ("", "blocked", ""),
    ]
    assert (rows[1]["by_itself"], rows[1]["waited_seconds"], rows[1]["ran_seconds"]) == ("yes", "4.0", "5.0")
    assert [rows[3][key] for key in ("cores", "core_seconds", "memory_mb", "asked_memory_mb", "walltime_seconds")] == [
        "4", "18", "100", "200", "60",
    ]  # fmt: skip


def test_large_study_gives_a_page_of_bounded_size() -> None:
    state = StudyState(plan(step("sim", uses="X"), rows={"X": range(5000)}))
    for index in range(5000):
        run(state, index, 1, Status.FAILED if index % 2 else Status.FINISHED)
    report = made(state)
    assert (len(report.bars), report.all_bars) == (400, 5000)
    assert (report.failures[0].count, len(report.failures[0].names), len(report.failures[0].examples)) == (2500, 20, 3)
    text = html_page(report)
    assert len(text) < 300_000
    assert "400 of 5,000 attempts" in text
    assert table_of_attempts(study_of(state), state, {}).count("\n") == 5001


def test_study_in_which_nothing_has_begun() -> None:
    report = made(StudyState(plan(step("a"))))
    assert "Nothing has begun yet." in html_page(report)
    assert "under way" in markdown(report)
    Checked(html_page(report))


# --- requested and used

HOUR = 3600


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(600, 4 * HOUR, 1, 1, 590.0, 100, 500), "walltime: the longest ran 10m00s of 4h00m"),
        (Usage(HOUR, HOUR + 60, 1, 1, 3500.0), "walltime: the longest came close to its end"),
        (Usage(HOUR, 90 * 60, 8, 1, HOUR * 2.0), "cores: 25% of them were busy"),
        (Usage(HOUR, 90 * 60, 1, 1, 3500.0, 1024, 16 * 1024), "memory: at most 1.0 GB of 16.0 GB"),
        (Usage(HOUR, 90 * 60, 1, 1, 3500.0, 990, 1000), "memory: one came close to its end"),
        (Usage(HOUR, 90 * 60, 4, 1, 13000.0, 700, 1000), ""),
        (Usage(), ""),
    ],
)
def test_requests_that_could_be_changed(usage: Usage, words: str) -> None:
    (need,) = made(state_of(), {THIRD: usage}).needs
    assert (need.step, need.jobs, need.words) == ("sim", 1, words)


def test_without_accounting_it_says_so() -> None:
    state = state_of()
    study = StudyFile("id", BEGAN, "study.yaml", Settings(), state.plan)
    report = report_of(study, state, "/out", BEGAN, lambda index: (str(index), []), {}, "there is no sacct here")
    assert "Nothing can be said: there is no sacct here." in html_page(report)
