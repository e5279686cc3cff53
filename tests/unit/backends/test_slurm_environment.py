"""The environment of Slurm's programs, and what of the user's reaches a job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtui.core.backends import slurm as module
from mtui.core.backends.backend import Accepted, Refused
from mtui.core.backends.slurm import Slurm
from mtui.core.backends.slurm_environment import (
    header_options,
    options_in_effect,
    query_environment,
    submission_environment,
)
from tests.unit.backends.fake import Fake

OUTSIDE = {"PATH": "/bin", "HOME": "/h", "SLURM_CONF": "/etc/slurm.conf", "SBATCH_ACCOUNT": "m1", "SLURM_CLUSTERS": "c"}
INSIDE = {"SLURM_JOB_ID": "5", "SLURM_MEM_PER_CPU": "100", "SBATCH_MEM_BIND": "x", "SRUN_DEBUG": "3", "SLURMD_X": "y"}


def test_options_in_the_environment_of_a_login_are_the_users() -> None:
    assert submission_environment(OUTSIDE) == OUTSIDE


def test_options_in_the_environment_of_a_job_are_not_handed_on() -> None:
    assert submission_environment({**OUTSIDE, **INSIDE}) == {
        "PATH": "/bin",
        "HOME": "/h",
        "SLURM_CONF": "/etc/slurm.conf",
        "SBATCH_ACCOUNT": "m1",
        "SLURMD_X": "y",
    }


def test_environment_of_a_job_is_recognized_although_its_id_is_unset() -> None:
    rest = {name: text for name, text in INSIDE.items() if name != "SLURM_JOB_ID"}
    given = {**OUTSIDE, **rest, "SLURM_JOBID": "5", "SLURM_STEP_ID": "0"}
    assert submission_environment(given) == submission_environment({**OUTSIDE, **INSIDE})


def test_connections_of_a_step_for_mpi_are_not_handed_on() -> None:
    settings = {"PMI_MMAP_SYNC_WAIT_TIME": "300", "PMIX_MCA_gds": "hash"}
    of_step = {"PMI_FD": "7", "PMI_RANK": "0", "PMI_SIZE": "1", "PMIX_RANK": "0", "PMIX_SERVER_URI2": "pmix:1"}
    assert submission_environment({**settings, **of_step, "SLURM_JOB_ID": "5"}) == settings
    assert submission_environment({**settings, **of_step}) == {**settings, **of_step}


FOREIGN_VARIABLES = {
    "SQUEUE_FORMAT": "%A",
    "SQUEUE_STATES": "RUNNING",
    "SACCT_FORMAT": "State",
    "SLURM_TIME_FORMAT": "relative",
    "SCANCEL_STATE": "PENDING",
    "SCANCEL_INTERACTIVE": "true",
    "SINFO_FORMAT": "%n",
    "SLURM_DEBUG_FLAGS": "all",
    "SBATCH_WAIT": "1",
    "SBATCH_ARRAY_INX": "1-3",
    "SLURM_EXIT_ERROR": "0",
}
DEFINED = {"SLURM_BITSTR_LEN": "0", "SLURM_TIME_FORMAT": "standard", "SQUEUE_ALL": "1"}


def test_queries_have_none_of_the_users_formats_and_filters() -> None:
    basic = {"PATH": "/bin", "HOME": "/h", "SLURM_CONF": "/etc/slurm.conf"}
    assert query_environment({**OUTSIDE, **FOREIGN_VARIABLES}) == {**basic, "SLURM_CLUSTERS": "c", **DEFINED}
    assert query_environment({**OUTSIDE, **INSIDE}) == {**basic, "SLURMD_X": "y", **DEFINED}


def test_queries_ask_the_cluster_to_which_sbatch_submits() -> None:
    assert query_environment({"SLURM_CLUSTERS": "a", "SBATCH_CLUSTERS": "b"})["SLURM_CLUSTERS"] == "b"


def test_jobs_keep_the_variables_of_the_user_except_those_that_change_how_sbatch_answers() -> None:
    given = {**OUTSIDE, **FOREIGN_VARIABLES}
    dropped = {"SBATCH_WAIT", "SBATCH_ARRAY_INX", "SLURM_EXIT_ERROR"}
    assert submission_environment(given) == {name: text for name, text in given.items() if name not in dropped}


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("--account=m2", "SBATCH_ACCOUNT"),
        ("-t 5 # minutes", "SBATCH_TIMELIMIT"),
        ("--mem=4G", "SBATCH_MEM_PER_CPU"),
        ("--nodes=2 -q debug", "SBATCH_QOS"),
        ("--no-requeue", "SBATCH_REQUEUE"),
        ("--open-mode append", "SBATCH_OPEN_MODE"),
        ("--gpus-per-task=1", "SBATCH_GPUS_PER_TASK"),
    ],
)
def test_options_of_the_study_override_those_of_the_environment(line: str, variable: str) -> None:
    script = f"#!/bin/sh\n#SBATCH --comment='a b'\n#SBATCH {line}\ntrue\n"
    assert header_options(script, {variable: "x"}) == ["--comment=a b", *line.partition(" #")[0].split()]
    assert header_options(script, {"SBATCH_RESERVATION": "x"}) == []


def test_refusal_names_the_options_in_the_environment_that_have_an_effect(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"SBATCH_EXCLUSIVE": "true", "SBATCH_TIMELIMIT": "9", "SLURM_CLUSTERS": "green"}.items():
        monkeypatch.setenv(name, text)
    slurm = Slurm(Path("/h"), fake.log)
    fake.does("sbatch", "echo 'sbatch: error: Invalid --exclusive specification' >&2; exit 1")
    given = "the environment sets SBATCH_EXCLUSIVE=true, SLURM_CLUSTERS=green"  # the script sets the time
    assert slurm.submit(fake.job()) == Refused(f"Invalid --exclusive specification ({given})")
    fake.does("sbatch", "echo 'sbatch: error: Batch job submission failed: Connection refused' >&2; exit 1")
    assert "SBATCH" not in str(slurm.submit(fake.job()))


def test_long_option_in_the_environment_is_truncated() -> None:
    assert options_in_effect("#!/bin/sh\n", {"SBATCH_COMMENT": "x" * 100}) == [f"SBATCH_COMMENT={'x' * 60}..."]


def test_signal_of_the_environment_is_known_to_the_runner(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SUBMIT_DEADLINE", 30)
    monkeypatch.setenv("SBATCH_SIGNAL", "B:TERM@60")
    fake.does("sbatch", f"cat > '{fake.notes}.script'; echo 12")
    assert Slurm(Path("/h"), fake.log).submit(fake.job()) == Accepted("12")
    assert " '' 1 /bin/bash\n" in Path(f"{fake.notes}.script").read_text()


def test_programs_get_the_clean_environment(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SUBMIT_DEADLINE", 30)
    for key, value in INSIDE.items():
        monkeypatch.setenv(key, value)
    fake.does("sbatch", f"env > '{fake.notes}.env'; echo 12")
    assert Slurm(Path("/h"), fake.log).submit(fake.job()) == Accepted("12")
    seen = Path(f"{fake.notes}.env").read_text()
    assert "SLURM_MEM_PER_CPU" not in seen
    assert f"PATH={os.environ['PATH']}" in seen
