"""Commands to a running study, and a driver that is a job itself, on a real cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import SHARED, step
from tests.waiting import wait_until


def wait_file(go: Path) -> str:
    return f"while [ ! -e {go} ]; do sleep 0.1; done"


def state_of(out: Path, name: str, wanted: str, seconds: float = 30) -> None:
    wait_until(
        lambda: mtui.statuses(out)[name] == wanted, seconds, f"{name} is {wanted}, not {mtui.statuses(out)[name]}"
    )


def until_begun(trace: Path, count: int) -> None:
    """Until so many payloads have left their word: a job has started a little before its payload begins."""
    wait_until(
        lambda: trace.exists() and len(trace.read_text().splitlines()) == count, 60, f"{count} payloads have begun"
    )


def test_update_of_sleep_counts_for_the_next_look(slurm: Cluster, tmp_path: Path) -> None:
    """A suspended job says nothing itself: only a look at Slurm can tell."""
    go, out = tmp_path / "go", tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", step("long", wait_file(go)), batch=SHARED)
    driver = mtui.Driver("-s", "3600", "-o", out, spec, log=tmp_path / "log", env=slurm.env)
    job = driver.wait_for("started")[0]["job"]
    slurm.run("scontrol", "suspend", job)
    assert mtui.run("update", out, "--sleep", "1").stdout == "done: sleep set to 1\n"
    driver.wait_for("observed", status="suspended")
    state_of(out, "long", "suspended")  # a driver prints an event before it is in the journal
    driver.kill()
    slurm.run("scontrol", "resume", job)
    second = mtui.Driver(out, log=tmp_path / "log2", env=slurm.env)  # and for every later driver
    second.wait_for("observed", status="running")
    go.touch()
    assert second.wait() == 0


def test_local_steps_do_not_wait_for_the_throttle(slurm: Cluster, tmp_path: Path) -> None:
    """In Maestro they need a slot as well, so one long job keeps all of them from starting."""
    go, out = tmp_path / "go", tmp_path / "out"
    steps = (
        step("long", wait_file(go))
        + step("next", "true")
        + step("here", "echo $(I)", where="")
        + step("after", "true", depends="here_*", where="")
    )
    spec = mtui.write_study(
        tmp_path / "s.yaml", steps, batch=SHARED, parameters="  I: {values: [1, 2, 3, 4, 5], label: I.%%}"
    )
    driver = mtui.Driver("-t", "1", "-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started")
    state_of(out, "after", "finished")

    def of_slurm() -> list[str]:
        states = mtui.statuses(out)
        return sorted([states["long"], states["next"]])

    wait_until(lambda: of_slurm() == ["ready", "running"], 60, "one of the two runs, the other has no slot")
    assert mtui.statuses(out)["here_I.5"] == "finished"
    go.touch()
    assert driver.wait() == 0


def test_hold_release_cancel_retry_and_update_of_single_instances(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = (
        step("sim", f"echo sim_$(I) >> {trace}; {wait_file(go)}; [ $(I) != 2 ] || [ -e {tmp_path}/fixed ]")
        + step("post", f"echo post_$(I) >> {trace}", depends="sim")
        + step("all", f"echo all >> {trace}", depends="post_*", where="")
    )
    spec = mtui.write_study(
        tmp_path / "s.yaml", steps, batch=SHARED, parameters="  I: {values: [1, 2, 3, 4], label: I.%%}"
    )
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    until_begun(trace, 4)
    for number in (1, 2, 3, 4):
        state_of(out, f"post_I.{number}", "bound")
    assert mtui.run("hold", out, "post_I.1").stdout == "done: 1 held\n"
    assert mtui.run("cancel", out, "sim_I.3", env=slurm.env).stdout == "done: 1 being cancelled\n"
    assert mtui.run("update", out, "--throttle", "5").stdout == "done: throttle set to 5\n"
    go.touch()
    state_of(out, "sim_I.2", "failed")
    state_of(out, "sim_I.3", "cancelled")
    state_of(out, "post_I.4", "finished")
    assert mtui.statuses(out)["post_I.1"] == "held"
    assert mtui.statuses(out)["post_I.2"] == mtui.statuses(out)["all"] == "blocked"
    refused = mtui.run("retry", out, "post_I.2")
    assert (refused.returncode, "blocked" in refused.stdout) == (1, True)
    (tmp_path / "fixed").touch()
    assert mtui.run("retry", out).stdout == "done: 2 will run again\n"
    assert "1 released" in mtui.run("release", out, "post").stdout
    assert driver.wait(90) == 0
    ran = sorted(trace.read_text().split())
    assert ran == sorted(["sim_1", "sim_2", "sim_2", "sim_3", "sim_3", "sim_4",
                          "post_1", "post_2", "post_3", "post_4", "all"])  # fmt: skip
    assert (out / "sim" / "I.2" / "sim_I.2.1.out").exists()


def test_scancel_that_is_refused_is_repeated(slurm: Cluster, tmp_path: Path) -> None:
    real, allowed = shutil.which("scancel"), tmp_path / "allowed"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "scancel").write_text(
        f'#!/bin/sh\n[ -e {allowed} ] || {{ echo "scancel: error: Access/permission denied" >&2; exit 1; }}\n'
        f'exec {real} "$@"\n'
    )
    (programs / "scancel").chmod(0o755)
    env = {**slurm.env, "PATH": f"{programs}:{slurm.env['PATH']}"}
    spec = mtui.write_study(tmp_path / "s.yaml", step("long", "sleep 300"), batch=SHARED)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=env)
    driver.wait_for("started")
    assert mtui.run("cancel", "-y", out, env=env).stdout == "done: 1 being cancelled\n"
    assert "permission denied" in driver.wait_for("cancel_failed")[0]["message"]
    assert mtui.statuses(out) == {"long": "running"}
    allowed.touch()
    assert driver.wait(60) == 3
    assert mtui.statuses(out) == {"long": "cancelled"}


def test_cancel_without_a_driver_ends_the_jobs_itself(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(
        tmp_path / "s.yaml", step("long", "sleep 300") + step("next", "true", depends="long"), batch=SHARED
    )
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    job = driver.wait_for("started")[0]["job"]
    driver.wait_for("submitted", count=2)
    driver.kill()
    reported = mtui.run("cancel", "-y", out, env=slurm.env)
    assert reported.returncode == 0, reported.stdout + reported.stderr
    wait_until(lambda: slurm.job_state(job).startswith("CANCELLED"), 30, "Slurm calls the job cancelled")
    calls = [line[20:] for line in (out / ".mtui" / "slurm.log").read_text().splitlines()[1:]]
    assert [call.split()[0] for call in calls] == ["sbatch", "sbatch", "scancel"]
    assert calls[0].endswith(f"/long.slurm.sh -> {job}")
    bound = calls[1].rpartition("-> ")[2]
    assert calls[2] in (f"scancel {job} {bound} -> exit code 0", f"scancel {bound} {job} -> exit code 0")
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 3
    assert mtui.statuses(out) == {"long": "cancelled", "next": "cancelled"}


def test_retry_of_an_ended_study_waits_for_its_next_driver(slurm: Cluster, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    steps = step("a", f"[ -e {fixed} ]") + step("b", "true", depends="a")
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    out = tmp_path / "out"
    assert mtui.run("--no-ui", "-o", out, spec, env=slurm.env).returncode == 2
    fixed.touch()
    assert "No driver is running" in mtui.run("retry", out, "a").stdout
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 0
    assert mtui.statuses(out) == {"a": "finished", "b": "finished"}


@pytest.mark.parametrize("head", ["", "#SBATCH --time=3 --nodes=1"], ids=["header", "own directives"])
def test_retry_with_changed_resources_gets_them(slurm: Cluster, tmp_path: Path, head: str) -> None:
    asked = 'squeue --noheader --jobs=$SLURM_JOB_ID --format="%l %D"'
    steps = step("a", f"{asked}; [ $SLURM_JOB_NUM_NODES = 2 ] && srun hostname | wc -l", head=head)
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    out = tmp_path / "out"
    assert mtui.run("--no-ui", "-o", out, spec, env=slurm.env).returncode == 2
    changes = ("--set", "walltime=00:10:00", "--set", "nodes=2", "--set", "procs=2")
    assert mtui.run("retry", out, *changes, env=slurm.env).returncode == 0
    done = mtui.run("--no-ui", out, env=slurm.env)
    assert done.returncode == 0, done.stdout
    assert (out / "a" / "a.1.out").read_text() == ("3:00 1\n" if head else "5:00 1\n")
    assert (out / "a" / "a.out").read_text() == "10:00 2\n2\n"


def test_why_shows_what_is_waited_for_and_why_it_failed(slurm: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    steps = (
        step("run", wait_file(go) + "; echo no such luck >&2; exit 9")
        + step("next", "true", depends="run")
        + step("second", "true", depends="next")
    )
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    job = driver.wait_for("started")[0]["job"]
    state_of(out, "run", "running")
    state_of(out, "second", "bound")
    assert f"runs as job {job} of cluster mtui on node" in mtui.run("why", out, "run").stdout
    bound = mtui.run("why", out, "next").stdout
    assert f"starts it when its parents are done (afterok:{job})" in bound
    assert "run (running)" in bound
    go.touch()
    assert driver.wait() == 2
    failed = mtui.run("why", out, "run").stdout
    assert "exit code 9" in failed
    assert "no such luck" in failed
    assert "mtui retry" in failed
    assert "run (failed)" in mtui.run("why", out, "second").stdout
    assert mtui.run("log", out, "run", "--stderr").stdout == "no such luck\n"
    assert "exit 9" in mtui.run("log", out, "run", "--script").stdout
    assert mtui.run("why", out, "nxt").returncode == 2


def test_pending_job_shows_slurms_reason_in_words(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("later", "true", head="#SBATCH --begin=now+1hour"), batch=SHARED)
    out = tmp_path / "out"
    driver = mtui.Driver("-s", "1", "-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("observed", reason="BeginTime")
    reported = "its start time is in the future (BeginTime)"
    wait_until(lambda: reported in mtui.run("why", out, "later").stdout, 30, "why shows it")
    assert mtui.run("cancel", "-y", out, env=slurm.env).returncode == 0
    assert driver.wait() == 3


def test_log_follows_until_the_instance_ends(slurm: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", f"echo one; {wait_file(go)}; echo two"), batch=SHARED)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started")
    follow = subprocess.Popen([*mtui.COMMAND, "log", "-f", str(out), "a"], stdout=subprocess.PIPE, text=True)
    assert follow.stdout is not None
    assert follow.stdout.readline() == "one\n"
    go.touch()
    assert follow.stdout.read() == "two\n"
    assert follow.wait(20) == 0
    assert driver.wait() == 0


def test_driver_in_a_separate_job_drives_and_is_commanded_from_here(slurm: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    steps = step("a", wait_file(go)) + step("b", "echo $SLURM_JOB_NAME", depends="a")
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    out = tmp_path / "out"
    options = ("--qos", "workflow", "--time", "00:10:00", "--partition=shared")
    reported = mtui.run("submit", "-o", out, spec, *options, env=slurm.env)
    assert reported.returncode == 0, reported.stdout + reported.stderr
    job = reported.stdout.split("Slurm job ")[1].split()[0]
    assert f"job {job} (--qos workflow --time 00:10:00 --partition=shared)." in reported.stdout
    state_of(out, "a", "running")
    state_of(out, "b", "bound")
    assert f"Slurm job {job}" in mtui.status(out)["driver"]
    assert mtui.run("hold", out, "b").stdout == "done: 1 held\n"
    go.touch()
    state_of(out, "a", "finished")
    assert mtui.run("release", out, "b").stdout == "done: 1 released\n"
    wait_until(lambda: mtui.status(out)["result"] == "finished", 60, "the study is over")
    wait_until(lambda: slurm.job_state(job) == "COMPLETED", 30, "the driver's job is over")


@pytest.mark.parametrize("option", ["--bogus", "--time=abc", "--partition=nosuch"])
def test_driver_that_slurm_does_not_take_leaves_nothing_behind(slurm: Cluster, tmp_path: Path, option: str) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true"), batch=SHARED)
    out = tmp_path / "out"
    reported = mtui.run("submit", "-o", out, spec, option, env=slurm.env)
    assert (reported.returncode, reported.stdout) == (2, "")
    assert "Slurm rejected the driver's job: " in reported.stderr
    assert not out.exists()
    assert mtui.run("--dry", "-o", out, spec, env=slurm.env).returncode == 0
    assert mtui.run("submit", out, option, env=slurm.env).returncode == 2
    assert out.is_dir()  # it was there before
    if option == "--bogus":  # once: to submit what --dry has made is to say that it is to run
        assert mtui.run("submit", out, "--partition=shared", env=slurm.env).returncode == 0
        wait_until(lambda: mtui.status(out)["result"] == "finished", 90, "the study is over")


def test_driver_in_a_job_puts_its_successor_into_the_queue_before_its_walltime_ends(
    slurm: Cluster, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    spec = mtui.write_study(
        tmp_path / "s.yaml", step("a", wait_file(go)) + step("b", "true", depends="a"), batch=SHARED
    )
    out = tmp_path / "out"
    reported = mtui.run("submit", "-o", out, spec, "--partition=shared", "--time=00:05:00", env=slurm.env)
    job = reported.stdout.split("Slurm job ")[1].split()[0]
    state_of(out, "a", "running")
    slurm.run("scancel", "--batch", "--signal=USR2", job)  # as Slurm does when the walltime is nearly over
    wait_until(
        lambda: slurm.job_state(job) == "COMPLETED" or slurm.job_state(job) == "FAILED", 60, "the first driver is over"
    )
    wait_until(lambda: "Slurm job" in mtui.status(out)["driver"], 60, "the next driver drives")
    assert f"Slurm job {job}" not in mtui.status(out)["driver"]
    go.touch()
    wait_until(lambda: mtui.status(out)["result"] == "finished", 60, "the study is over")


def test_second_driver_on_a_live_study_shows_who_holds_it(slurm: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", wait_file(go)), batch=SHARED)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started")
    reported = mtui.run("submit", out, env=slurm.env)
    assert reported.returncode == 2
    assert f"process {driver.process.pid} on" in reported.stderr
    go.touch()
    assert driver.wait() == 0
