"""The claims and records of the job-side runner, under every shell that /bin/sh is on a cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from shlex import quote

import pytest

from tests.unit.backends.job_study import LOOP, Study

# --- the claim


def test_one_of_twenty_concurrent_jobs_runs_the_payload(study: Study) -> None:
    jobs = {str(job): study.start("echo ran >> trace", job=str(job)) for job in range(20)}
    codes = {job: process.wait(60) for job, process in jobs.items()}
    winners = [job for job, code in codes.items() if code == 0]
    assert len(winners) == 1
    assert sorted(codes.values()) == [0] + [75] * 19
    assert (study.workspace / "trace").read_text() == "ran\n"
    duplicates = study.records("twin")
    assert {record["job"] for record in duplicates} == set(jobs) - set(winners)
    assert {record["owner"] for record in duplicates} == set(winners)
    assert [record["job"] for record in study.records("exit")] == winners


def test_duplicate_logs_why_it_ends(study: Study) -> None:
    study.claim().write_text("6\n")
    assert study.run("echo ran >> trace") == 75
    assert study.err.read_text() == "mtui: attempt 3.1 is already taken by job 6; this job ends\n"
    assert not (study.workspace / "trace").exists()


def test_attempts_of_one_instance_do_not_share_a_claim(study: Study) -> None:
    assert [study.run("echo ran >> trace", attempt=attempt) for attempt in ("3.1", "3.2", "31.1")] == [0, 0, 0]


def test_duplicate_waits_until_the_owner_has_written_its_name(study: Study, tmp_path: Path) -> None:
    study.claim().touch()  # created, and not yet written: where the runner sleeps, the owner continues
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sleep").write_text(f"#!/bin/sh\necho 6 > '{tmp_path}/claim'\n")
    (tools / "sleep").chmod(0o755)
    (tmp_path / "claim").symlink_to(study.claim())
    assert study.run("true", env={"PATH": f"{tools}:{os.environ['PATH']}"}) == 75
    assert [record["owner"] for record in study.records()] == ["6"]


def sleep_instead(tools: Path, commands: str) -> dict[str, str]:
    """The environment in which `sleep` is these commands, with the seconds as $1."""
    tools.mkdir()
    (tools / "sleep").write_text(f"#!/bin/sh\n{commands}\n")
    (tools / "sleep").chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


@pytest.mark.parametrize("local", [False, True], ids=["job", "local step"])
def test_job_waits_while_its_claim_cannot_be_written(study: Study, tmp_path: Path, local: bool) -> None:
    """A file server that is gone, a disk that is full: no failure of the instance."""
    claims, pauses = study.home / "claims", tmp_path / "pauses"
    claims.rmdir()
    comes_back = f"echo $1 >>'{pauses}'; [ $(wc -l <'{pauses}') -lt 3 ] || mkdir {quote(str(claims))}"
    assert study.run("echo ran >> trace", env=sleep_instead(tmp_path / "tools", comes_back), local=local) == 0
    assert pauses.read_text().split() == ["1", "2", "4"]
    assert (study.workspace / "trace").read_text() == "ran\n"
    assert [record["code"] for record in study.records("exit")] == [0]


def test_attempt_that_is_revoked_while_its_job_waits_does_not_run(study: Study, tmp_path: Path) -> None:
    claims = study.home / "claims"
    claims.rmdir()
    revoke = f"mkdir {quote(str(claims))}; echo void >{quote(str(study.claim()))}"
    assert study.run("echo ran >> trace", env=sleep_instead(tmp_path / "tools", revoke)) == 75
    assert [(record["kind"], record["owner"]) for record in study.records()] == [("twin", "void")]
    assert not (study.workspace / "trace").exists()


def test_claim_that_cannot_be_written_for_half_an_hour_is_reported_as_such(study: Study, tmp_path: Path) -> None:
    (study.home / "claims").rmdir()
    assert study.run("echo ran >> trace", env=sleep_instead(tmp_path / "tools", ":")) == 73
    assert [(record["kind"], record["code"]) for record in study.records()] == [("exit", 73)]
    assert "claim" in study.records()[0]["error"]
    assert study.err.read_text().count("cannot write") == 2, "once when it begins to wait, once at the end"
    assert not (study.workspace / "trace").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_job_waits_while_there_is_no_room_for_its_claim(study: Study, tmp_path: Path) -> None:
    claims = study.home / "claims"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(claims)], check=True)
    try:
        (claims / "full").write_bytes(b"x" * 4096)
        room = f"[ ! -e {quote(str(study.claim()))} ] && rm {quote(str(claims / 'full'))}"
        assert study.run("echo ran >> trace", env=sleep_instead(tmp_path / "tools", room)) == 0
    finally:
        subprocess.run(["umount", str(claims)], check=True)
    assert (study.workspace / "trace").read_text() == "ran\n"


def test_requeued_job_continues_under_its_own_claim(study: Study) -> None:
    script = "echo ran >> trace; ls '{}' > seen".format(str(study.home / "spool" / "new").replace("'", "'\\''"))
    assert study.run(script) == 0
    # The end of the run before it is no end of the job any more, from the moment at which it begins again.
    for restarts, starts in (("1", ["3.1.start.7", "3.1.start.7_r1"]), ("2", ["3.1.start.7_r2"])):
        assert study.run(script, env={"SLURM_RESTART_COUNT": restarts}) == 0
        seen = (study.workspace / "seen").read_text().split()
        assert not [name for name in seen if ".exit." in name]
        assert set(starts) <= set(seen)
    assert (study.workspace / "trace").read_text() == "ran\nran\nran\n"


def test_each_run_of_a_requeued_job_has_separate_records(study: Study) -> None:
    """Those of the run before may have been read, and not yet be put away."""
    study.run("true", job="7_3")
    study.run("", job="7_3", env={"SLURM_RESTART_COUNT": "0"})  # a twin: a job that was never put back
    study.run("", job="7_3", env={"SLURM_RESTART_COUNT": "12"})
    names = {path.name for path in (study.home / "spool" / "new").iterdir()}
    assert names == {"3.1.start.7_3", "3.1.twin.7_3", "3.1.start.7_3_r12", "3.1.exit.7_3_r12"}
    assert {record["job"] for record in study.records()} == {"7_3"}


@pytest.mark.parametrize(
    ("job", "restarts"), [("7", ""), ("7", "0"), ("8", "1"), ("8", "")], ids=["same", "first run", "other", "late"]
)
def test_only_a_requeued_owner_runs_again(study: Study, job: str, restarts: str) -> None:
    study.run("echo ran >> trace")
    assert study.run("", job=job, env={"SLURM_RESTART_COUNT": restarts} if restarts else {}) == 75
    assert (study.workspace / "trace").read_text() == "ran\n"
    assert [(record["job"], record["owner"]) for record in study.records("twin")] == [(job, "7")]


def test_job_of_another_batch_system_is_called_as_that_says(study: Study) -> None:
    env = {"MTUI_JOB_ID": "q_9", "SLURM_JOB_ID": ""}
    assert study.run('echo "[$MTUI_JOB_ID]" > reported', job="", env=env) == 0
    assert {record["job"] for record in study.records()} == {"q_9"}
    assert study.claim().read_text() == "q_9\n"
    assert (study.workspace / "reported").read_text() == "[]\n"


def test_local_step_is_never_taken_for_a_requeued_one(study: Study) -> None:
    study.claim().write_text("1\n")
    assert study.run("true", local=True, env={"SLURM_RESTART_COUNT": "2"}) == 75


# --- records


def test_records_are_complete_and_leave_no_partial_files(study: Study) -> None:
    study.run("exit 4")
    common = {"v": 1, "attempt": "3.1", "job": "7", "node": "node1"}
    assert study.records() == [
        {**common, "kind": "exit", "code": 4, "signal": ""},
        {**common, "kind": "start"},
    ]
    files = sorted((study.home / "spool").rglob("*.*"))
    assert [path.name for path in files] == ["3.1.exit.7", "3.1.start.7"]
    assert all(path.read_text().endswith("}\n") for path in files)  # by this its reader knows that it is complete


def test_start_is_recorded_before_the_payload_begins(study: Study) -> None:
    process = study.start(LOOP)
    study.until_ready()
    assert [record["kind"] for record in study.records()] == ["start"]
    study.go()
    assert process.wait(10) == 0


def test_local_step_reports_as_its_process_on_the_drivers_host(study: Study) -> None:
    process = study.start("true", local=True)
    assert process.wait(10) == 0
    assert study.claim().read_text() == f"{process.pid}\n"
    assert [(record["kind"], record["job"], record["node"]) for record in study.records()] == [
        ("exit", str(process.pid), "here")
    ]


def test_task_of_an_array_reports_under_its_own_id(study: Study) -> None:
    study.run("true", env={"SLURM_ARRAY_JOB_ID": "50", "SLURM_ARRAY_TASK_ID": "4"})
    assert {record["job"] for record in study.records()} == {"50_4"}
    assert study.claim().read_text() == "50_4\n"


def test_node_is_named_even_if_slurm_does_not_say_it(study: Study) -> None:
    study.run("true", env={"SLURMD_NODENAME": ""})
    assert {record["node"] for record in study.records()} == {os.uname().nodename}
