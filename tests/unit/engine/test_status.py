"""The transition table: nothing in it is out of reach, and nothing beside it is possible."""

from __future__ import annotations

import itertools

import pytest

from mtui.core.engine.status import BAD, IN_SLURM, LIVE, OVER, TABLE, UNSUCCESSFUL, Status, Verb, allowed


def reachable() -> set[Status]:
    found = {Status.WAITING}
    while True:
        more = {target for rule in TABLE.values() if rule.sources & found for target in rule.targets}
        if more <= found:
            return found
        found |= more


def test_every_status_can_be_reached() -> None:
    assert reachable() == set(Status)


def test_every_verb_has_its_rule() -> None:
    assert set(TABLE) == set(Verb)


@pytest.mark.parametrize("verb", Verb, ids=lambda verb: verb.name)
def test_rule_allows_its_own_pairs_and_no_other(verb: Verb) -> None:
    rule = TABLE[verb]
    assert rule.sources
    assert rule.targets
    pairs = {pair for pair in itertools.product(Status, Status) if allowed(verb, *pair)}
    assert pairs == set(itertools.product(rule.sources, rule.targets))


def test_groups_cover_every_status_once() -> None:
    idle = {Status.WAITING, Status.READY, Status.HELD}
    assert len(idle) + len(LIVE) + len(OVER) == len(Status)
    assert idle | LIVE | OVER == set(Status)
    assert IN_SLURM < LIVE
    assert UNSUCCESSFUL < BAD < OVER


def test_what_is_over_changes_only_by_a_command_with_its_parent_or_by_a_late_report() -> None:
    verbs = {verb for verb, rule in TABLE.items() if rule.sources & OVER}
    assert verbs == {Verb.RETRY, Verb.UNBLOCK, Verb.MARK, Verb.ADD, Verb.REOPEN}


def test_what_is_done_changes_only_because_a_person_wants_it_again() -> None:
    assert [verb for verb, rule in TABLE.items() if Status.FINISHED in rule.sources] == [Verb.RETRY]
    assert {verb for verb, rule in TABLE.items() if Status.SKIPPED in rule.sources} == {Verb.RETRY, Verb.MARK, Verb.ADD}


def test_only_an_end_a_refusal_or_its_removal_ends_what_may_be_running() -> None:
    verbs = {verb for verb, rule in TABLE.items() if rule.sources & LIVE and rule.targets & (OVER - {Status.BLOCKED})}
    assert verbs == {Verb.END, Verb.REFUSE, Verb.UNBIND, Verb.RETURN}


def test_what_slurm_may_have_is_blocked_only_once_it_cannot_run() -> None:
    verbs = {verb for verb, rule in TABLE.items() if rule.sources & LIVE and Status.BLOCKED in rule.targets}
    assert verbs == {Verb.DEFER, Verb.MISS, Verb.UNBIND, Verb.RETURN}
    assert TABLE[Verb.UNBIND].sources == {Status.BOUND, Status.PENDING}


def test_nothing_is_submitted_while_it_may_be_running() -> None:
    assert not TABLE[Verb.INTEND].sources & LIVE


@pytest.mark.parametrize("status", Status, ids=lambda status: status.name)
def test_word_of_a_status_is_one_that_people_read(status: Status) -> None:
    assert status.value == status.value.lower().strip()
    assert Status(status.value) is status
