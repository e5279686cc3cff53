"""Slurm's words, each as a real Slurm says them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mtui.core.backends.backend import AttemptFiles, Job, JobIdentity
from mtui.core.backends.pending_reasons import REASONS, next_step, reason_text, reason_words
from mtui.core.backends.slurm_ids import array_list, our_ids
from mtui.core.backends.slurm_text import (
    ALIVE,
    ENDED,
    SACCT_FORMAT,
    SQUEUE_FORMAT,
    SlurmJob,
    SlurmView,
    directives,
    job_tag,
    parse_sacct,
    parse_squeue,
    submit_script,
)
from mtui.core.engine.status import IN_SLURM, UNSUCCESSFUL, Status

# --- states

# squeue(1), JOB STATE CODES, with the letters by which Maestro knows them.
STATES = {
    "BF": "BOOT_FAIL", "CA": "CANCELLED", "CD": "COMPLETED", "CF": "CONFIGURING", "CG": "COMPLETING",
    "DL": "DEADLINE", "F": "FAILED", "NF": "NODE_FAIL", "OOM": "OUT_OF_MEMORY", "PD": "PENDING", "PR": "PREEMPTED",
    "R": "RUNNING", "RD": "RESV_DEL_HOLD", "RF": "REQUEUE_FED", "RH": "REQUEUE_HOLD", "RQ": "REQUEUED",
    "RS": "RESIZING", "RV": "REVOKED", "SI": "SIGNALING", "SE": "SPECIAL_EXIT", "SO": "STAGE_OUT", "ST": "STOPPED",
    "S": "SUSPENDED", "TO": "TIMEOUT", "EX": "EXPEDITING",
}  # fmt: skip
OVER = ("BF", "CA", "CD", "DL", "F", "NF", "OOM", "PR", "TO")  # RV: it runs on another cluster


@pytest.mark.parametrize("letters", STATES)
def test_every_state_of_slurm_is_known_as_alive_or_ended(letters: str) -> None:
    state = STATES[letters]
    assert (state in ENDED, state in ALIVE) == (letters in OVER, letters not in OVER)


def test_states_mean_what_an_instance_can_be() -> None:
    assert set(ALIVE.values()) == IN_SLURM - {Status.BOUND}  # for Slurm that is but a pending job
    assert set(ENDED.values()) == (UNSUCCESSFUL | {Status.FINISHED}) - {Status.LOST}


# --- squeue and sacct


def test_squeue_lines_are_read_in_the_order_of_the_format() -> None:
    assert SQUEUE_FORMAT == "%i|%T|%r|%N|%q,%a|%j"
    text = (
        "101|PENDING|Priority||normal,m1234|mt.0a1b2c3d.1-1:a\n"
        "102|RUNNING|None|nid[001-002]|debug|mt.0a1b2c3d.1-2:b\n"
        "103|PENDING|ReqNodeNotAvail, UnavailableNodes:nid[001,004]|||plain\n"
    )
    assert parse_squeue(text) == {
        "101": SlurmJob("101", "PENDING", "Priority", "", "mt.0a1b2c3d.1-1:a", qos="normal", account="m1234"),
        "102": SlurmJob("102", "RUNNING", "", "nid[001-002]", "mt.0a1b2c3d.1-2:b", qos="debug"),
        "103": SlurmJob("103", "PENDING", "ReqNodeNotAvail, UnavailableNodes:nid[001,004]", "", "plain"),
    }


def test_name_of_a_job_may_hold_the_separator() -> None:
    assert parse_squeue("7|RUNNING|None|n1|q|a|b||c\n")["7"].name == "a|b||c"
    assert parse_sacct("7|COMPLETED|0:0|n1|a|b||c\n")["7"].name == "a|b||c"


def test_tasks_of_an_array_are_separate_jobs() -> None:
    found = parse_squeue("50_1|RUNNING|None|n1|q|x\n50_2|PENDING|Resources||q|x\n")
    assert [job.state for job in found.values()] == ["RUNNING", "PENDING"]
    tasks = parse_sacct("50_1|COMPLETED|0:0|n1|x\n50_[2-9]|PENDING|0:0||x\n")
    assert set(tasks) == {f"50_{task}" for task in range(1, 10)}


def test_tasks_that_squeue_shows_together_are_apart() -> None:
    found = parse_squeue("12_[0-2,5%4]|PENDING|Dependency||q|x\n12_3|RUNNING|None|n1|q|x\n")
    assert list(found) == ["12_0", "12_1", "12_2", "12_5", "12_3"]
    assert {found[job].state for job in ("12_0", "12_5")} == {"PENDING"}
    assert {job.job.partition("_")[0] for job in found.values()} == {"12"}


@pytest.mark.parametrize(
    ("shown", "tasks"),
    [
        ("12", ["12"]),
        ("12_0", ["12_0"]),
        ("12_[3]", ["12_3"]),
        ("12_[0-2]", ["12_0", "12_1", "12_2"]),
        ("12_[0-2,5%4]", ["12_0", "12_1", "12_2", "12_5"]),
        ("12_[1-9:4]", ["12_1", "12_5", "12_9"]),
        ("12_[7%1]", ["12_7"]),
        ("12_[1,3,10-11]", ["12_1", "12_3", "12_10", "12_11"]),
        ("12_[]", []),
        ("12+1", ["12+1"]),
    ],
)
def test_id_that_squeue_shows_denotes_its_tasks(shown: str, tasks: list[str]) -> None:
    assert our_ids(shown) == tasks


@pytest.mark.parametrize(
    ("tasks", "text"),
    [([0], "0"), ([0, 1, 2], "0-2"), ([0, 2], "0,2"), ([0, 1, 2, 5, 7, 8], "0-2,5,7-8"), (range(1000), "0-999")],
)
def test_task_numbers_are_given_to_sbatch_as_it_shows_them(tasks: Sequence[int], text: str) -> None:
    assert array_list(tasks) == text
    assert our_ids(f"9_[{text}]") == [f"9_{task}" for task in tasks]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "slurm_load_jobs error: Unable to contact\n", "1|RUNNING\n", "\ufffd\0|\n"]
)
def test_lines_that_are_no_jobs_are_passed_over(text: str) -> None:
    assert parse_squeue(text) == {}
    assert parse_sacct(text) == {}
    assert list(parse_squeue(text + "7|RUNNING|None|n1|q|x\n")) == ["7"]


def test_sacct_names_who_cancelled_apart_from_the_state() -> None:
    assert SACCT_FORMAT.startswith("JobID,State,ExitCode,NodeList,Submit,JobName")
    assert parse_sacct("7|CANCELLED by 1000|0:0|n1|x\n") == {"7": SlurmJob("7", "CANCELLED", "by 1000", "n1", "x")}


def test_record_of_a_requeued_job_is_the_one_that_was_submitted_last() -> None:
    first = "7|REQUEUED|0:0|n1|2026-11-29T07:21:17|x\n"
    second = "7|COMPLETED|0:0|n2|2026-11-29T07:25:00|x\n"
    for text in (first + second, second + first):
        assert parse_sacct(text)["7"] == SlurmJob("7", "COMPLETED", "", "n2", "x", 0, submitted="2026-11-29T07:25:00")


def test_of_two_jobs_with_one_id_only_ours_is_kept_whichever_is_newer() -> None:
    ours = "7|RUNNING|0:0|n1|2026-11-29T07:21:17|mt.a.1-1:x\n"
    other = "7|COMPLETED|0:0|n1|2026-11-29T09:00:00|mt.b.1-1:x\n"
    for text in (ours + other, other + ours):
        assert parse_sacct(text, lambda job: job.name.startswith("mt.a."))["7"].state == "RUNNING"
    assert parse_sacct(other, lambda job: job.name.startswith("mt.a.")) == {}


def test_view_finds_a_job_by_id_and_name_only() -> None:
    other = SlurmJob("7", "COMPLETED", name="mt.a.1-10:x")
    ours = SlurmJob("7", "RUNNING", name="mt.a.1-1:x")
    wanted = JobIdentity("7", job_tag("a", "1-1"))
    assert SlurmView({"7": other}).find(wanted) is None
    assert SlurmView({"7": other}, {"7": ours}).find(wanted) is ours
    assert SlurmView({"7": ours}, {"7": other}).find(wanted) is ours
    assert SlurmView({"8": ours}).find(wanted) is None


def test_job_that_never_had_a_node_has_none() -> None:
    assert parse_sacct("7|CANCELLED|0:0|None assigned|x\n")["7"].node == ""


@pytest.mark.parametrize(
    ("state", "text", "code"),
    [
        ("COMPLETED", "0:0", 0),
        ("FAILED", "1:0", 1),
        ("FAILED", "9:0", 9),
        ("FAILED", "0:9", 137),
        ("FAILED", "0:11", 139),
        ("FAILED", "0:53", None),
        ("TIMEOUT", "0:0", None),
        ("CANCELLED by 0", "0:0", None),
        ("NODE_FAIL", "0:0", None),
        ("OUT_OF_MEMORY", "0:125", 253),
        ("RUNNING", "0:0", None),
        ("FAILED", "", None),
        ("FAILED", "x:y", None),
    ],
)
def test_exit_code_is_the_one_that_a_shell_would_see(state: str, text: str, code: int | None) -> None:
    assert parse_sacct(f"7|{state}|{text}|n1|x\n")["7"].exit_code == code


def test_job_whose_log_could_not_be_opened_is_reported_as_such() -> None:
    assert parse_sacct("7|FAILED|0:53|n1|x\n")["7"].reason == "JobLaunchFailure"


# --- what is handed to sbatch

JOB = Job("1-1", "mt.x.1-1:a", (AttemptFiles("0.1", "/w", "/w/a.slurm.sh", "/w/a.out", "/w/a.err"),))


def test_directives_are_those_that_sbatch_would_read() -> None:
    script = "\n".join(
        [
            "#!/bin/bash",
            "#SBATCH --nodes=1",
            "# a word",
            "",
            '#SBATCH --comment "a\u2028b\x0cc\x85d"',
            " #SBATCH --not=this",
            "  ",
            "\t# a word",
            "#SBATCH --time=1",
            "set -e",
            "#SBATCH --too=late",
        ]
    )
    # A directive is at the start of its line; with a blank before it, it is but a word
    assert directives(script) == ["#SBATCH --nodes=1", '#SBATCH --comment "a\u2028b\x0cc\x85d"', "#SBATCH --time=1"]


@pytest.mark.parametrize("script", ["", "#!/bin/sh", "echo\n#SBATCH --late"])
def test_script_without_directives_has_none(script: str) -> None:
    assert directives(script) == []


def test_directives_of_the_user_come_after_ours_so_that_they_win() -> None:
    lines = submit_script(JOB, "#!/bin/bash\n#SBATCH --requeue\n#SBATCH --open-mode=truncate\ntrue\n", "/h").split("\n")
    assert lines[:5] == [
        "#!/bin/sh",
        "#SBATCH --no-requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=truncate",
    ]
    assert lines[5].startswith("set -- ")
    assert lines[6] == ". /h/job.sh"


def test_burst_buffer_lines_come_before_the_first_command_of_what_is_submitted() -> None:
    lines = submit_script(JOB, "#!/bin/sh\n#DW jobdw capacity=1GiB\n#SBATCH -n1\ntrue\n#DW late", "/h").split("\n")
    assert lines[3:6] == ["#SBATCH -n1", "#DW jobdw capacity=1GiB", "unset SLURM_OPEN_MODE"]
    assert "#DW late" not in lines


@pytest.mark.parametrize(
    ("option", "passed"),
    [
        ("--signal=B:TERM@60", True),
        ("--signal=B:SIGTERM@60", True),
        ("--signal B:15@60", True),
        ('--signal="B:TERM@60"', True),
        ("--signal=RB:TERM@60", True),
        ("--signal=TERM@60", False),
        ("--signal=B:USR1@60", False),
        ("--signal=B:150@60", False),
        ("--comment=B:TERM", False),
        ("--nodes=1", False),
    ],
)
def test_runner_hands_term_on_if_slurm_sends_it_to_the_runner_alone(option: str, passed: bool) -> None:
    call = submit_script(JOB, f"#!/bin/sh\n#SBATCH {option}\n", "/h").split("\n")[-3]
    assert ("'' 1 /bin/sh" in call, "'' '' /bin/sh" in call) == (passed, not passed)


@pytest.mark.parametrize(
    ("shebang", "words"),
    [
        ("#!/bin/bash", ["/bin/bash"]),
        ("#! /usr/bin/env python3", ["/usr/bin/env", "python3"]),
        ("#!/bin/bash -l -e", ["/bin/bash", "-l", "-e"]),
        ("#!", ["/bin/sh"]),
        ("", ["/bin/sh"]),
    ],
)
def test_words_of_the_shebang_are_handed_on(shebang: str, words: list[str]) -> None:
    assert submit_script(JOB, f"{shebang}\ntrue\n", "/h").split("\n")[-3].split()[-len(words) :] == words


@pytest.mark.parametrize(
    "name", ["two words", "it's", 'a "b"', "$HOME", "`ls`", "a;b&c|d", "*", "\\", "#x", "ä", "\udce9"]
)
def test_call_of_the_runner_survives_the_shell_whatever_the_paths_are(tmp_path: Path, name: str) -> None:
    home, workspace = tmp_path / name / ".mtui", tmp_path / f"{name} w"
    home.mkdir(parents=True)
    workspace.mkdir()
    (home / "job.sh").write_text("""printf '%s\\0' "$@" > "$2/seen"\n""")
    job = Job("1-1", "n", (AttemptFiles("0.1", str(workspace), f"{workspace}/a.sh", "", ""),))
    script = tmp_path / "handed to sbatch"
    script.write_text(submit_script(job, "#!/bin/bash -l\n", str(home)), errors="surrogateescape")
    subprocess.run(["sh", "-n", script], check=True)
    subprocess.run(["sh", script], check=True, cwd=tmp_path)
    seen = (home / "seen").read_text(errors="surrogateescape").split("\0")
    assert seen == ["0.1", str(home), str(workspace), f"{workspace}/a.sh", "", "", "/bin/bash", "-l", ""]


# --- words


def test_tag_distinguishes_studies_and_submissions() -> None:
    assert len({job_tag(study, submission) for study in ("a", "b") for submission in ("1-1", "1-11", "11-1")}) == 6


def test_reasons_are_explained_or_passed_on() -> None:
    assert reason_words("Priority") == REASONS["Priority"] != "Priority"
    assert reason_words("SomethingNew") == "SomethingNew"
    assert reason_words("ReqNodeNotAvail, UnavailableNodes:node[1-3]") == REASONS["ReqNodeNotAvail"]
    assert reason_words("launch_failed_requeued_held") == REASONS["launch failed requeued held"]


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("JobHeldUser", "to release it: scontrol release 14_2"),
        ("launch failed requeued held", "to release it: scontrol release 14_2"),
        ("(launch failed requeued held)", "to release it: scontrol release 14_2"),
        ("launch_failed_requeued_held", "to release it: scontrol release 14_2"),
        ("job_requeued_in_special_exit_state", "to release it: scontrol release 14_2"),
        ("user_env_retrieval_failed_requeued_held", "to release it: scontrol release 14_2"),
        ("job requeued in held state", "to release it: scontrol release 14_2"),
        ("JobHoldMaxRequeue", "to release it: scontrol release 14_2"),
        ("JobHeldAdmin", "only the site's administrators can release it: ask them why it is held"),
        ("ReservationDeleted", "to start it without one: scontrol update job=14_2 reservation= and release it"),
        ("PartitionTimeLimit", "it cannot start with these resources; change them: mtui cancel, then mtui retry --set"),
        ("QOSMaxMemoryPerJob", "it cannot start with these resources; change them: mtui cancel, then mtui retry --set"),
        (
            "DependencyNeverSatisfied",
            "to start it without its --dependency: scontrol update job=14_2 dependency=",
        ),
        ("Priority", ""),
        ("Resources", ""),
        ("QOSMaxJobsPerUserLimit", ""),
        ("QOSMaxCpuPerUserLimit", ""),
        ("SomethingNew", ""),
        ("", ""),
    ],
)
def test_reason_that_does_not_pass_has_a_next_step(reason: str, step: str) -> None:
    assert next_step(reason, "14_2") == step


def test_job_that_is_bound_to_its_parents_is_left_to_the_driver() -> None:
    assert next_step("DependencyNeverSatisfied", "14", bound=True) == ""
    assert next_step("JobHeldUser", "14", bound=True) != ""


def test_text_of_a_reason_names_it() -> None:
    assert reason_text("(launch failed requeued held)") == (
        "held: it could not be launched on its node (launch failed requeued held)"
    )
    assert reason_text("SomethingNew") == "SomethingNew"
