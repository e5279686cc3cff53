"""The filter language: what each term finds, and what is said of one that means nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.tui.views.appearance import LOOKS, Look, StatusGroup
from mtui.tui.views.filters import FilterError, completions, parse_filter
from tests.plans import plan, step
from tests.unit.engine import script

PLAN = plan(
    step("prepare", local=True),
    step("sim", "prepare", cmd="run $(SIZE) $(NAME)"),
    step("sim-post", "sim"),
    step("by-size", "prepare", cmd="run $(SIZE)"),
    step("report", "sim-post_*", local=True),
    rows={"SIZE": [9, 10, 100, 100], "NAME": ["alpha", "beta", "alps", "Beta"]},
)
NAMES = [instance.name for instance in PLAN.instances]


def _found(text: str, state: StudyState | None = None, of: Plan = PLAN) -> list[str]:
    state = state or StudyState(of)
    chosen = parse_filter(text, of)
    found = chosen.matching(state)
    assert found == [index for index in range(len(of.instances)) if chosen.matches(index, state)]
    return [of.instances[index].name for index in found]


def _error(text: str, of: Plan = PLAN) -> tuple[str, str]:
    with pytest.raises(FilterError) as caught:
        parse_filter(text, of)
    return caught.value.message, caught.value.hint


def _index(name: str) -> int:
    return NAMES.index(name)


def _sims(*rows: str) -> list[str]:
    return [f"sim_NAME.{row.split()[0]}.SIZE.{row.split()[1]}" for row in rows]


def _sample() -> StudyState:
    """prepare is done, of the four instances of sim one runs, one is queued, one failed and was retried."""
    state = StudyState(PLAN)
    script.run(state, 0)
    first, second, third, _ = range(1, 5)
    script.apply(state, script.intend("a", (first, 1)), script.submitted("a", "120"))
    script.apply(state, script.started(first, job="120", node="nid001"))
    script.apply(state, script.intend("b", (second, 1)), script.submitted("b", "121_4"))
    script.run(state, third, Status.TIMED_OUT)
    return state


# --- states


@pytest.mark.parametrize(
    ("word", "states"),
    [
        ("timed_out", {Status.TIMED_OUT}),
        ("out-of-memory", {Status.OUT_OF_MEMORY}),
        ('"node failed"', {Status.NODE_FAILED}),
        ("TIMED_OUT", {Status.TIMED_OUT}),
        ("pending", {Status.PENDING}),
        ("held", {Status.HELD}),
        ("hel", {Status.HELD}),
        ("finished", {Status.FINISHED}),
        ("memory", {Status.OUT_OF_MEMORY}),  # as the grid's cell says
        ("timeout", {Status.TIMED_OUT}),
        ("running", {Status.RUNNING, Status.SUSPENDED, Status.COMPLETING}),
        ("run,block", {Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.BLOCKED}),
    ],
)
def test_a_word_for_a_state(word: str, states: set[Status]) -> None:
    assert parse_filter(f"state:{word}", PLAN).states == states


@pytest.mark.parametrize("group", StatusGroup)
def test_the_word_of_a_group_means_all_of_it(group: StatusGroup) -> None:
    states = {status for status, look in LOOKS.items() if look.group is group}
    assert parse_filter(f"state:{group.value}", PLAN).states == states
    assert parse_filter(f"!state:{group.value}", PLAN).states == set(Status) - states


@pytest.mark.parametrize("look", LOOKS.values(), ids=lambda look: look.word)
def test_every_word_of_the_grid_is_understood(look: Look) -> None:
    assert parse_filter(f"state:{look.word}", PLAN).states


def test_states_are_those_of_the_moment() -> None:
    state = _sample()
    assert _found("state:failed", state) == _sims("alps 100")
    assert _found("state:queued", state) == _sims("beta 10")
    assert _found("state:blocked !step:report", state) == ["sim-post_NAME.alps.SIZE.100"]
    assert _found("state:failed state:running", state) == []


def test_an_unknown_state_is_reported_with_the_nearest() -> None:
    assert _error("state:faild") == ("unknown state 'faild'", "did you mean 'failed'?")
    assert _error("state:f") == ("'f' matches several states", "failed or finished")
    message, hint = _error("state:xyz")
    assert message == "unknown state 'xyz'"
    assert "running" in hint


# --- steps, jobs, nodes, causes, names


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("step:sim", {"sim"}),  # exact before prefix
        ("step:si", {"sim", "sim-post"}),
        ("step:SIM*", {"sim", "sim-post"}),
        ("step:post", {"sim-post"}),
        ("step:prepare,report", {"prepare", "report"}),
        ("!step:s*", {"prepare", "by-size", "report"}),
        ("step:s* !step:sim", {"sim-post"}),
    ],
)
def test_steps(text: str, steps: set[str]) -> None:
    assert {name.partition("_")[0] for name in _found(text)} == steps


def test_an_unknown_step_or_key_is_reported_with_the_nearest() -> None:
    assert _error("step:reprot") == ("unknown step 'reprot'", "did you mean 'report'?")
    assert _error("stat:x")[0] == "unknown state 'x'"
    assert _error("sate:x") == ("unknown key 'sate:'", "did you mean 'state'?")
    assert _error("s:x")[0] == "unknown key 's:'"


def test_jobs() -> None:
    state = _sample()
    assert _found("job:120", state) == _sims("alpha 9")
    assert _found("job:121", state) == _sims("beta 10")  # a task of an array
    assert _found("job:12*", state) == _sims("alpha 9", "beta 10")
    assert _found("job:12", state) == []
    assert _found("job:120,121_4", state) == _sims("alpha 9", "beta 10")


def test_the_job_of_an_earlier_attempt_is_found() -> None:
    state = _sample()
    index = _index("sim_NAME.alps.SIZE.100")
    script.apply(state, script.retry(index), script.intend("c", (index, 2)), script.submitted("c", "200"))
    script.apply(state, script.started(index, 2, "200", "n2"))
    assert _found("job:7 step:sim", state) == _found("job:200", state) == _sims("alps 100")
    assert _found("node:n1 step:sim", state) == []  # nodes are those of the last attempt


def test_nodes_and_causes() -> None:
    state = _sample()
    assert _found("node:nid*", state) == _found("node:ID0", state) == _sims("alpha 9")
    assert _found("!node:n* step:sim", state) == _sims("beta 10", "Beta 100")
    assert _found("cause:WH", state) == _sims("alps 100")
    script.apply(state, script.cancel(4))
    assert _found('cause:"by command, before"', state) == _sims("Beta 100")


def test_a_text_is_part_of_the_name() -> None:
    assert _found("ALP sim_") == _sims("alpha 9", "alps 100")
    assert _found("*post*10") == ["sim-post_NAME.beta.SIZE.10"]
    assert _found("!sim !by !report") == ["prepare"]
    assert _found("") == _found('  "" ! !""') == NAMES
    assert parse_filter('"" !', PLAN).is_empty


# --- parameters


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SIZE>9", ["beta 10", "alps 100", "Beta 100"]),  # as numbers
        ("SIZE>=10.0", ["beta 10", "alps 100", "Beta 100"]),
        ("size<1e1", ["alpha 9"]),
        ("SIZE<=10", ["alpha 9", "beta 10"]),
        ("SIZE=100.0", ["alps 100", "Beta 100"]),
        ("SIZE==100", ["alps 100", "Beta 100"]),
        ("SIZE!=100", ["alpha 9", "beta 10"]),
        ("!SIZE=100", ["alpha 9", "beta 10"]),
        ("!!SIZE=100", ["alps 100", "Beta 100"]),
        ("SIZE=1*", ["beta 10", "alps 100", "Beta 100"]),
        ("NAME=al*", ["alpha 9", "alps 100"]),
        ("NAME!=al*", ["beta 10", "Beta 100"]),
        ("NAME=beta", ["beta 10"]),  # there is one of just this name
        ("NAME=BETA", ["beta 10", "Beta 100"]),
        ("NAME>alpha", ["beta 10", "alps 100", "Beta 100"]),
        ("NAME>5", ["alpha 9", "beta 10", "alps 100", "Beta 100"]),  # as texts
        ("SIZE>9 NAME=al*", ["alps 100"]),
    ],
)
def test_comparisons(text: str, rows: list[str]) -> None:
    assert _found(f"step:sim {text}") == _sims(*rows)


def test_a_step_without_the_parameter_matches_if_one_of_its_rows_does() -> None:
    assert _found("step:by-size NAME=Beta") == ["by-size_SIZE.100"]
    assert _found("step:by-size NAME=b*") == ["by-size_SIZE.10", "by-size_SIZE.100"]
    assert _found("step:prepare,report NAME=beta") == ["prepare", "report"]
    assert _found("step:prepare,report SIZE>100") == []


def test_terms_on_parameters_are_checked_on_one_row() -> None:
    assert _found("step:prepare SIZE=9 NAME=beta") == []
    assert _found("step:prepare SIZE=10 NAME=beta") == ["prepare"]
    assert list(parse_filter("SIZE=100 !NAME=alps state:failed", PLAN).row_mask or ()) == [0, 0, 0, 1]
    assert parse_filter("state:failed alps", PLAN).row_mask is None


def test_numbers_are_exact() -> None:
    of = plan(step("a", uses="S"), rows={"S": ["12345678901234567890", "12345678901234567891", "1_0", "nan"]})
    assert _found("S=12345678901234567891", of=of) == ["a_S.12345678901234567891"]
    assert _found("S=10", of=of) == []
    assert _found("S=nan", of=of) == ["a_S.nan"]


def test_parameters_by_key_and_name() -> None:
    of = plan(step("a", uses="NnM"), rows={"N": [1, 2], "n": [3, 4], "M": [5, 6]})
    of = replace(of, parameters=replace(of.parameters, names=("big one", "small", "M")))  # as a generator names them
    assert _found("N=1", of=of) == _found("n=3", of=of) == _found('"BIG one"=1', of=of) == _found("m<6", of=of)
    assert _found("small=4", of=of) == ["a_M.6.N.2.n.4"]
    assert _error("smal>1", of) == ("unknown parameter 'smal'", "did you mean 'small'?")
    assert completions("b", of) == []  # a name with a blank would need quotes


def test_an_ambiguous_parameter_is_reported() -> None:
    of = plan(step("a", cmd="$(Nn) $(nN)"), rows={"Nn": [1], "nN": [2]})
    assert _found("Nn=1", of=of) == ["a_Nn.1.nN.2"]
    assert _error("nn=1", of) == ("'nn' matches several parameters", "Nn or nN")


@pytest.mark.parametrize("text", [">5", "=x", ":x", "state:", "SIZE>", "!SIZE=", 'NAME=""', "!=3"])
def test_half_a_term_is_reported(text: str) -> None:
    message, hint = _error(text)
    assert message.startswith("nothing ")
    assert "state:failed" in hint


def test_quotes_hide_signs_and_blanks() -> None:
    of = plan(step("a", uses="X"), rows={"X": ["u v", "k=1", "!z"]})
    assert _found('"X.u v"', of=of) == _found('X="u v"', of=of) == _found('X=u" "v', of=of) == ["a_X.u v"]
    assert _found('"k=1"', of=of) == _found("X=k=1", of=of) == ["a_X.k=1"]
    assert _found('".!z"', of=of) == _found("X=!z", of=of) == _found('"!z"', of=of) == ["a_X.!z"]
    assert _found('"X.u v', of=of) == ["a_X.u v"]  # not closed yet


def test_a_study_without_parameters_or_rows() -> None:
    alone = plan(step("a"), step("b", "a"))
    assert _found("step:b", of=alone) == ["b"]
    assert _error("SIZE=1", alone) == ("unknown parameter 'SIZE'", "")
    none = plan(step("a", uses="P"), rows={"P": []})
    assert _found("P=1", of=none) == []


# --- completions


@pytest.mark.parametrize(
    ("text", "longer"),
    [
        ("sta", ["state:"]),
        ("!st", ["!state:", "!step:"]),
        ("x SI", ["x SIZE="]),
        ("s", ["state:", "step:", "sIZE="]),
        ("state:fa", ["state:failed"]),
        ("state:failed,tim", ["state:failed,timed_out"]),
        ("sta:tim", ["sta:timed_out"]),
        ("step:si", ["step:sim", "step:sim-post"]),
        ("step:sim", ["step:sim-post"]),
        ("job:1", []),
        ('"sta', []),
        ("SIZE=1", []),
    ],
)
def test_completions(text: str, longer: list[str]) -> None:
    assert completions(text, PLAN) == longer


def test_an_empty_text_has_every_completion() -> None:
    assert completions("", PLAN) == ["state:", "step:", "job:", "node:", "alloc:", "cause:", "SIZE=", "NAME="]


# --- whatever is typed

_PIECES = st.sampled_from((*'"!?*[,=<>', " ", "<=", "!=", "state:", "step:", "job:", "cause:", "SIZE", "NAME", "1e9",
                           "failed", "sim", "alpha", "10", "é"))  # fmt: skip
_TEXTS = st.one_of(st.text(), st.lists(_PIECES, max_size=8).map("".join))


@given(_TEXTS)
def test_whatever_is_typed_is_a_filter_or_a_filter_error(text: str) -> None:
    state = _sample()
    try:
        chosen = parse_filter(text, PLAN)
    except FilterError as error:
        assert error.message
    else:
        assert chosen.matching(state) == [index for index in range(len(NAMES)) if chosen.matches(index, state)]
    for longer in completions(text, PLAN):
        assert longer.startswith(text)
        assert len(longer) > len(text)


@given(_TEXTS, _TEXTS)
def test_all_terms_must_hold(one: str, other: str) -> None:
    state = _sample()
    try:
        first, second, both = parse_filter(one, PLAN), parse_filter(other, PLAN), parse_filter(f"{one} {other}", PLAN)
    except FilterError:
        return
    if '"' not in one:
        found = set(both.matching(state))
        assert found <= set(first.matching(state)) & set(second.matching(state))
        if not (first.columns and second.columns):
            assert found == set(first.matching(state)) & set(second.matching(state))
