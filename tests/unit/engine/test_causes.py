"""Causes: what is kept of them, and the words of each."""

from __future__ import annotations

from typing import Any

import pytest

from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import Cause, CauseCode, cause_record, exit_cause, job_cause, read_cause, text_cause
from mtui.core.engine.event_codec import from_record, to_record
from mtui.core.engine.events import Returned
from mtui.core.engine.status import Status

LAUNCH = (
    "Slurm could not run the script on n1: "
    "killed by a signal, or its output file could not be created (directory gone, disk full or read-only)"
)
LEFT = "and there is no exit record"
FORGOTTEN = "(Slurm keeps no record of array tasks that are cancelled before they start)"

# Each code with its fields, as it is kept, and its words: the values are in journals for ever.
CAUSES: list[tuple[Cause, dict[str, Any], str]] = [
    (Cause(CauseCode.OTHER, "Invalid account"), {"cause": "Invalid account"}, "Invalid account"),
    (
        Cause(CauseCode.EXIT_CODE, exit_code=3, node="n1"),
        {"cause_code": "exit_code", "cause_fields": {"exit_code": 3, "node": "n1"}},
        "exit code 3 on n1",
    ),
    (
        Cause(CauseCode.TERMINATED, exit_code=143, node="n1"),
        {"cause_code": "terminated", "cause_fields": {"exit_code": 143, "node": "n1"}},
        "terminated by SIGTERM, not by mtui (exit code 143 (signal TERM) on n1)",
    ),
    (
        Cause(CauseCode.TERMINATED, "no workspace", 143),
        {"cause_code": "terminated", "cause_fields": {"text": "no workspace", "exit_code": 143}},
        "terminated by SIGTERM, not by mtui (no workspace)",
    ),
    (Cause(CauseCode.WALLTIME), {"cause_code": "walltime"}, "exceeded its walltime"),
    (
        Cause(CauseCode.OUT_OF_MEMORY, node="n1"),
        {"cause_code": "out_of_memory", "cause_fields": {"node": "n1"}},
        "used more memory than requested on n1",
    ),
    (
        Cause(CauseCode.NODE_FAILED, node="n1"),
        {"cause_code": "node_failed", "cause_fields": {"node": "n1"}},
        "a node failed on n1",
    ),
    (Cause(CauseCode.PREEMPTED), {"cause_code": "preempted"}, "Slurm took its nodes for another job"),
    (Cause(CauseCode.DEADLINE), {"cause_code": "deadline"}, "could not end before its deadline"),
    (Cause(CauseCode.CANCELLED_IN_SLURM), {"cause_code": "cancelled_in_slurm"}, "cancelled outside of mtui"),
    (
        Cause(CauseCode.LAUNCH_FAILED, node="n1"),
        {"cause_code": "launch_failed", "cause_fields": {"node": "n1"}},
        LAUNCH,
    ),
    (
        Cause(CauseCode.JOB_FAILED, "NonZeroExitCode", node="n1"),
        {"cause_code": "job_failed", "cause_fields": {"text": "NonZeroExitCode", "node": "n1"}},
        "failed on n1 (NonZeroExitCode)",
    ),
    (
        Cause(CauseCode.NO_RECORD),
        {"cause_code": "no_record"},
        "no exit record: it was killed, the disk was full, or the study was moved",
    ),
    (
        Cause(CauseCode.NEVER_BEGAN, job="7"),
        {"cause_code": "never_began", "cause_fields": {"job": "7"}},
        "job 7 is completed, but the script never began",
    ),
    (
        Cause(CauseCode.JOB_UNKNOWN, job="7"),
        {"cause_code": "job_unknown", "cause_fields": {"job": "7"}},
        f"neither squeue nor sacct knows job 7, {LEFT}",
    ),
    (
        Cause(CauseCode.JOB_NOT_IN_QUEUE, job="7"),
        {"cause_code": "job_not_in_queue", "cause_fields": {"job": "7"}},
        f"squeue no longer knows job 7, {LEFT}",
    ),
    (
        Cause(CauseCode.TASK_UNKNOWN, job="7_1"),
        {"cause_code": "task_unknown", "cause_fields": {"job": "7_1"}},
        f"neither squeue nor sacct knows job 7_1, {LEFT} {FORGOTTEN}",
    ),
    (
        Cause(CauseCode.TASK_NOT_IN_QUEUE, job="7_1"),
        {"cause_code": "task_not_in_queue", "cause_fields": {"job": "7_1"}},
        f"squeue no longer knows job 7_1, {LEFT} {FORGOTTEN}",
    ),
    (Cause(CauseCode.COMMAND), {"cause_code": "command"}, "by command"),
    (
        Cause(CauseCode.COMMAND_BEFORE_SUBMIT),
        {"cause_code": "command_before_submit"},
        "by command, before it was submitted",
    ),
    (Cause(CauseCode.MARKED_FINISHED), {"cause_code": "marked_finished"}, "marked as finished by hand"),
    (
        Cause(CauseCode.MARKED_SKIPPED, "{it}"),
        {"cause_code": "marked_skipped", "cause_fields": {"text": "{it}"}},
        "marked as skipped by hand: {it}",
    ),
    *(
        (Cause(code, node="n1", job="9"), {"cause_code": code.value, "cause_fields": {"node": "n1", "job": "9"}}, words)
        for code, words in (
            (CauseCode.HOST_RESTARTED, "no exit record: n1 was rebooted or replaced"),
            (
                CauseCode.DRIVER_JOB_ENDED,
                "no exit record: Slurm job 9, in which it ran on n1, has ended",
            ),
            (CauseCode.HOST_GONE, "its host n1 is down, by command"),
        )
    ),
    (
        Cause(CauseCode.JOB_COMPLETING, job="9", node="n1"),
        {"cause_code": "job_completing", "cause_fields": {"node": "n1", "job": "9"}},
        "job 9 does not leave the state COMPLETING on n1, and there is no exit record",
    ),
    (
        Cause(CauseCode.JOB_RUNAWAY, job="9"),
        {"cause_code": "job_runaway", "cause_fields": {"job": "9"}},
        "squeue no longer knows job 9, accounting shows it active, and there is no exit record",
    ),
    (Cause(CauseCode.PARENT_FAILED), {"cause_code": "parent_failed"}, "withdrawn from Slurm: a parent failed"),
    (
        Cause(CauseCode.HELD, allocation="1-1"),
        {"cause_code": "held", "cause_fields": {"allocation": "1-1"}},
        "withdrawn from its allocation: held by command",
    ),
    (
        Cause(CauseCode.PARENT_JOB_GONE),
        {"cause_code": "parent_job_gone"},
        "withdrawn from Slurm: a parent's job is gone",
    ),
    (Cause(CauseCode.PARENT_RERUN), {"cause_code": "parent_rerun"}, "a parent will run again"),
    (
        Cause(CauseCode.ROWS_ADDED),
        {"cause_code": "rows_added"},
        "withdrawn from Slurm: rows were added that it did not include",
    ),
    *(
        (Cause(code, node="n1", job="9"), {"cause_code": word, "cause_fields": {"node": "n1", "job": "9"}}, words)
        for code, word, words in (
            (CauseCode.ALLOCATION_ENDED, "allocation_ended", "allocation 9 ended first"),
            (CauseCode.ALLOCATION_WALLTIME, "allocation_walltime", "allocation 9 exceeded its walltime"),
            (CauseCode.ALLOCATION_NODE_FAILED, "allocation_node_failed", "a node of allocation 9 failed (n1)"),
            (
                CauseCode.ALLOCATION_PREEMPTED,
                "allocation_preempted",
                "Slurm took the nodes of allocation 9 for another job",
            ),
            (
                CauseCode.ALLOCATION_OUT_OF_MEMORY,
                "allocation_out_of_memory",
                "allocation 9 ran out of memory (n1)",
            ),
            (CauseCode.ALLOCATION_UNNEEDED, "allocation_unneeded", "allocation 9 was no longer needed"),
            (CauseCode.ALLOCATION_CANCELLED, "allocation_cancelled", "allocation 9 was cancelled outside of mtui"),
            (CauseCode.ALLOCATION_FAILED, "allocation_failed", "allocation 9 failed (n1)"),
            (CauseCode.ALLOCATION_LEADER_ENDED, "allocation_leader_ended", "the leader in allocation 9 ended"),
            (CauseCode.ALLOCATION_UNKNOWN, "allocation_unknown", "Slurm no longer knows allocation 9"),
            (
                CauseCode.ALLOCATION_COMPLETING,
                "allocation_completing",
                "allocation 9 does not leave the state COMPLETING",
            ),
            (
                CauseCode.ALLOCATION_RUNAWAY,
                "allocation_runaway",
                "squeue no longer knows allocation 9, accounting shows it active",
            ),
            (CauseCode.NO_TIME_LEFT, "no_time_left", "its walltime exceeds the time left of allocation 9"),
            (
                CauseCode.NO_PYTHON,
                "no_python",
                "the nodes of allocation 9 have no Python, so it runs only instances of one node",
            ),
            (CauseCode.IDLE_ALLOCATION, "idle_allocation", "allocation 9 has nothing to do"),
        )
    ),
    (
        Cause(CauseCode.ALLOCATION_NODE_FAILED, job="9", times=3),
        {"cause_code": "allocation_node_failed", "cause_fields": {"job": "9", "times": 3}},
        "a node of allocation 9 failed; it started 3 times and never finished",
    ),
    (
        Cause(CauseCode.ALLOCATION_NOT_REQUESTED),
        {"cause_code": "allocation_not_requested"},
        "its request did not reach Slurm",
    ),
    (Cause(CauseCode.NO_WAITING), {"cause_code": "no_waiting"}, "it cannot wait for its parents there"),
    (Cause(CauseCode.REVOKED), {"cause_code": "revoked"}, "withdrawn"),
    (
        Cause(CauseCode.MAESTRO_STATE, "FAILED"),
        {"cause_code": "maestro_state", "cause_fields": {"text": "FAILED"}},
        "Maestro reports FAILED",
    ),
    (Cause(CauseCode.MAESTRO_CANCELLED), {"cause_code": "maestro_cancelled"}, "cancelled in Maestro"),
]
NAMES = [f"{cause.code.value}{' again' if cause.times or cause.text else ''}" for cause, _, _ in CAUSES]


def test_every_code_is_here() -> None:
    assert {cause.code for cause, _, _ in CAUSES} == set(CauseCode)


@pytest.mark.parametrize(("cause", "record", "words"), CAUSES, ids=NAMES)
def test_a_cause_is_kept_as_a_code_and_read_again(cause: Cause, record: dict[str, Any], words: str) -> None:
    assert cause_record(cause) == record
    assert read_cause(record) == cause
    assert cause_text(cause) == words


def test_no_cause_has_no_words() -> None:
    assert (text_cause(""), read_cause({}), read_cause({"cause": ""}), cause_text(None)) == (None, None, None, "")


def test_what_a_newer_mtui_knows_is_shown_as_far_as_it_is_readable() -> None:
    assert cause_text(read_cause({"cause_code": "licence_lost", "cause_fields": {"pool": "x"}})) == "licence lost"
    assert read_cause({"cause_code": "command", "cause_fields": {"pool": "x"}}) == Cause(CauseCode.COMMAND)


@pytest.mark.parametrize(
    "record",
    [
        {"cause": 3},
        {"cause_code": ["command"]},
        {"cause_code": "command", "cause_fields": "node"},
        {"cause_code": "exit_code", "cause_fields": {"exit_code": "3"}},
        {"cause_code": "node_failed", "cause_fields": {"node": None}},
    ],
)
def test_a_damaged_cause_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="damaged"):
        read_cause(record)


def test_an_older_mtui_finds_the_field_that_it_requires() -> None:
    event = Returned(at=1.0, members=((0, 1),), cause=Cause(CauseCode.REVOKED))
    record = to_record(event)
    assert (record["cause"], record["cause_code"]) == ("", "revoked")
    assert from_record(record) == event


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (126, "exit code 126 (a command is not executable)"),
        (127, "exit code 127 (a command was not found)"),
        (128, "exit code 128"),
        (137, "exit code 137 (signal KILL)"),
        (139, "exit code 139 (signal SEGV)"),
        (143, "exit code 143 (signal TERM)"),
        (255, "exit code 255"),
    ],
)
def test_exit_codes_have_their_meaning_for_a_shell(code: int, words: str) -> None:
    assert cause_text(exit_cause(code)) == words
    assert cause_text(exit_cause(code, "n7")) == f"{words} on n7"


@pytest.mark.parametrize(
    ("status", "code", "reason", "node", "words"),
    [
        (Status.TIMED_OUT, None, "", "n1", "exceeded its walltime"),
        (Status.OUT_OF_MEMORY, 137, "", "n1", "used more memory than requested on n1"),
        (Status.NODE_FAILED, None, "", "n[1-2]", "a node failed on n[1-2]"),
        (Status.NODE_FAILED, None, "", "", "a node failed"),
        (Status.PREEMPTED, None, "", "", "Slurm took its nodes for another job"),
        (Status.DEADLINE, None, "", "", "could not end before its deadline"),
        (Status.CANCELLED, None, "by 1000", "", "cancelled outside of mtui"),
        (Status.FAILED, None, "JobLaunchFailure", "n1", LAUNCH),
        (Status.FAILED, 3, "NonZeroExitCode", "n1", "exit code 3 on n1"),
        (Status.FAILED, 3, "", "", "exit code 3"),
        (Status.FAILED, None, "NonZeroExitCode", "", "failed (NonZeroExitCode)"),
        (Status.FAILED, None, "", "", "failed (no reason given)"),
    ],
)
def test_an_end_of_a_job_has_a_cause(status: Status, code: int | None, reason: str, node: str, words: str) -> None:
    assert cause_text(job_cause(status, code, reason, node)) == words
