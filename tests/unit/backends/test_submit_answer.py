"""What sbatch prints, as answers: each as a real Slurm says it."""

from __future__ import annotations

import pytest

from mtui.core.backends.backend import Accepted, Deferred, Refused, Unclear
from mtui.core.backends.submit_answer import sbatch_answer

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        (f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{POLICY}", 1),
        (f"sbatch: error: AssocMaxSubmitJobLimit\n{POLICY}", 1),
        (f"sbatch: error: QOSGrpSubmitJobsLimit\n{POLICY}", 1),
        (f"sbatch: error: AssocGrpSubmitJobsLimit\n{POLICY}", 1),
        (POLICY, 1),
        (f"{FAILED}Unable to contact slurm controller (connect failure)\n", 1),
    ],
    ids=["qos", "association", "qos group", "association group", "unnamed", "controller dead"],
)
def test_temporary_error_defers_the_submission(stderr: str, code: int) -> None:
    answer = sbatch_answer(code, "", stderr)
    assert isinstance(answer, Deferred)
    assert answer.message
    assert "sbatch" not in answer.message


@pytest.mark.parametrize(
    ("stderr", "limit"),
    [
        (f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{POLICY}", True),
        (f"sbatch: error: AssocGrpSubmitJobsLimit\n{POLICY}", True),
        (f"sbatch: error: QOSMaxJobsPerUserLimit\n{POLICY}", True),
        (POLICY, True),
        (f"{FAILED}Unable to contact slurm controller (connect failure)\n", False),
        (f"{FAILED}Job dependency problem\n", False),
    ],
    ids=["qos", "association group", "jobs", "unnamed", "controller dead", "dependency"],
)
def test_limit_on_the_queue_is_distinguished_from_other_temporary_errors(stderr: str, limit: bool) -> None:
    answer = sbatch_answer(1, "", stderr)
    assert isinstance(answer, Deferred)
    assert answer.limit is limit


@pytest.mark.parametrize(
    ("stderr", "code", "words"),
    [
        (f"sbatch: error: QOSMaxWallDurationPerJobLimit\n{POLICY}", 1, "QOSMaxWallDurationPerJobLimit"),
        (f"sbatch: error: QOSMaxNodePerJobLimit\n{POLICY}", 1, "QOSMaxNodePerJobLimit"),
        (f"sbatch: error: AssocMaxCpuPerJobLimit\n{POLICY}", 1, "AssocMaxCpuPerJobLimit"),
        (f"{FAILED}Invalid account or account/partition combination specified\n", 1, "Invalid account"),
        (f"{FAILED}Invalid qos specification\n", 1, "Invalid qos"),
        (
            f"sbatch: error: invalid partition specified: nosuch\n{FAILED}Invalid partition name specified\n",
            1,
            "invalid partition specified: nosuch; Invalid partition name",
        ),
        (f"{FAILED}Invalid feature specification\n", 1, "feature"),
        (f"{FAILED}Invalid generic resource (gres) specification\n", 1, "gres"),
        (
            "sbatch: error: Memory specification can not be satisfied\n"
            f"{FAILED}Requested node configuration is not available\n",
            1,
            "Memory specification can not be satisfied; Requested node configuration",
        ),
        (f"{FAILED}Requested time limit is invalid (missing or exceeds some limit)\n", 1, "time limit"),
        (f"{FAILED}More processors requested than permitted\n", 1, "More processors"),
        (f"{FAILED}Requested reservation is invalid\n", 1, "reservation"),
        (f"{FAILED}Invalid license specification\n", 1, "license"),
        (f"{FAILED}Invalid job array specification\n", 1, "array"),
        ("sbatch: error: Invalid --time specification\n", 255, "Invalid --time"),
        ("sbatch: unrecognized option '--foo'\nTry \"sbatch --help\" for more information\n", 255, "--foo"),
        ("sbatch: error: This does not look like a batch script.  The first\n", 1, "batch script"),
        ("sbatch: error: Batch script is empty!\n", 1, "empty"),
        ("sbatch: error: Unable to open file x\n", 1, "Unable to open file x"),
    ],
)
def test_what_will_never_be_taken_is_refused_with_slurms_words(stderr: str, code: int, words: str) -> None:
    answer = sbatch_answer(code, "", stderr)
    assert isinstance(answer, Refused)
    assert words in answer.message
    assert "\n" not in answer.message


@pytest.mark.parametrize(
    ("code", "stdout", "stderr"),
    [
        (1, "", f"{FAILED}Socket timed out on send/recv operation\n"),
        (1, "", f"{FAILED}Unable to contact slurm controller\n"),
        (1, "", f"{FAILED}Zero Bytes were transmitted or received\n"),
        (1, "", f"{FAILED}Connection reset by peer\n"),
        (
            1,
            "",
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"
            f"{FAILED}Resource temporarily unavailable\n",
        ),
        (-9, "", ""),
        (-15, "", "sbatch: some warning\n"),
        (137, "", "/usr/local/bin/sbatch: line 3: 4711 Killed  /opt/slurm/bin/sbatch\n"),
        (124, "", "timeout: sending signal TERM to command 'sbatch'\n"),
        (1, "", ""),
        (1, "", "  \n"),
        (0, "", ""),
        (0, "Submitted job 12\n", ""),
        (0, "12\n13\n", ""),
        (0, "\ufffd\ufffd", ""),
        (0, "-1\n", ""),
        (0, "١٢\n", ""),
    ],
    ids=[
        "timed out", "no contact", "zero bytes", "reset", "job table full", "killed", "killed with words",
        "wrapper killed", "wrapper timed out", "silent",
        "blank", "no id", "not parsable", "two ids", "garbage", "negative", "foreign digits",
    ],
)  # fmt: skip
def test_what_may_have_been_accepted_is_unclear(code: int, stdout: str, stderr: str) -> None:
    answer = sbatch_answer(code, stdout, stderr)
    assert isinstance(answer, Unclear)
    assert answer.message


@pytest.mark.parametrize(
    ("stdout", "answer"),
    [
        ("123\n", Accepted("123")),
        ("123;perlmutter\n", Accepted("123", cluster="perlmutter")),
        (" 7 \n", Accepted("7")),
        (
            "Welcome to Perlmutter. Quota: 12 of 40 TB\n\n123;perlmutter\nHave a nice day\n",
            Accepted("123", "", "perlmutter"),
        ),
        ("Submitted batch job 12\n", Accepted("12")),
        ("lmod: ok\nSubmitted batch job 12 on cluster c2\n", Accepted("12", cluster="c2")),
        ("12\nSubmitted batch job 12\n", Accepted("12")),
    ],
    ids=["id", "cluster", "blanks", "banner", "for people", "on a cluster", "twice"],
)
def test_accepted_job_is_known_by_its_id_and_cluster(stdout: str, answer: Accepted) -> None:
    assert sbatch_answer(0, stdout, "sbatch: warning: something\n") == answer
