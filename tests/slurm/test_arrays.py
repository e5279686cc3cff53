"""Arrays, and what is submitted ahead of its parents, on a real cluster."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_commands import state_of, until_begun, wait_file
from tests.slurm.test_studies import SHARED, fullest, run_study, step
from tests.waiting import wait_until


def rows(count: int) -> str:
    return f"  I: {{values: [{', '.join(map(str, range(count)))}], label: I.%%}}"


def calls(out: Path, program: str = "sbatch") -> list[str]:
    """The calls of one of Slurm's programs, as they were logged."""
    lines = (out / ".mtui" / "slurm.log").read_text().splitlines()
    return [line[20:] for line in lines if line[20:].startswith(program)]


def option(call: str, name: str) -> str:
    match = re.search(rf"--{name}=(\S+)", call)
    return match.group(1) if match else ""


def jobs(out: Path) -> dict[str, Any]:
    return {item["name"]: item["job"] for item in mtui.status(out)["instances"]}


# Its tasks begin when the test releases them: else the first have begun before the driver has the answer of sbatch.
HELD = "#SBATCH --hold"


def release(slurm: Cluster, submitted: dict[str, Any]) -> None:
    slurm.run("scontrol", "release", submitted["job"])


def test_sweep_goes_out_as_arrays_bound_to_each_other(slurm: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sim_cmd = "echo $(I) | tee x; echo err $(I) >&2; env | grep -c ^SLURM_ARRAY || true"
    steps = (
        step("sim", sim_cmd, head=HELD)
        + step("post", "sed s/^/post/ $(sim.workspace)/x", depends="sim")
        + step("all", "cat $(post.workspace)/*/*.out", depends="post_*")
    )
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(20))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    release(slurm, driver.wait_for("submitted", count=3)[0])
    assert driver.wait(240) == 0
    sim, post, everything = calls(out)
    assert calls(out, "scancel") == []
    assert (option(sim, "array"), option(sim, "dependency")) == ("0-19", "")
    first, second = (call.rpartition("-> ")[2] for call in (sim, post))
    assert (option(post, "array"), option(post, "dependency")) == ("0-19", f"aftercorr:{first}")
    assert (option(everything, "array"), option(everything, "dependency")) == ("", f"afterok:{second}")
    for number in range(20):
        place = out / "sim" / f"I.{number}"
        assert (place / f"sim_I.{number}.out").read_text() == f"{number}\n0\n"
        assert (place / f"sim_I.{number}.err").read_text() == f"err {number}\n"
        assert jobs(out)[f"sim_I.{number}"] == f"{first}_{number}"
    assert sorted((out / "all" / "all.out").read_text().split()) == sorted(f"post{number}" for number in range(20))


def test_study_of_slurm_steps_runs_to_its_end_without_a_driver(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = (
        step("a", f"echo a$(I) >> {trace}; {wait_file(go)}", head=HELD)
        + step("b", f"echo b$(I) >> {trace}", depends="a")
        + step("c", f"echo c >> {trace}", depends="b_*")
        + step("d", f"echo d >> {trace}", depends="c")
    )
    out = tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(5))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    release(slurm, driver.wait_for("submitted", count=4)[0])
    driver.wait_for("started", count=5)
    state_of(out, "d", "bound")
    driver.kill()
    go.touch()
    wait_until(lambda: trace.exists() and "d" in trace.read_text().split(), 60, "the last step ran")
    wait_until(lambda: not slurm.run("squeue", "--noheader").stdout, 30, "nothing is left in the queue")
    done = mtui.run("--no-ui", out, env=slurm.env)
    assert (done.returncode, set(mtui.statuses(out).values())) == (0, {"finished"}), done.stdout
    expected = [f"{name}{number}" for name in "ab" for number in range(5)]
    assert Counter(trace.read_text().split()) == Counter([*expected, "c", "d"])
    assert len(calls(out)) == 4


# Reasons of jobs that Slurm will not start: they are bound to a job that failed, or to such a job.
STUCK = {"DependencyNeverSatisfied", "Dependency"}


def reasons(slurm: Cluster) -> list[str]:
    return slurm.run("squeue", "--noheader", "--format=%r").stdout.split()


@pytest.mark.parametrize("alive", [True, False], ids=["with a driver", "without one"])
def test_failed_row_ends_its_dependents_and_a_retry_binds_again(slurm: Cluster, tmp_path: Path, alive: bool) -> None:
    go, fixed, trace = tmp_path / "go", tmp_path / "fixed", tmp_path / "trace"
    steps = (
        step("a", f"{wait_file(go)}; [ $(I) != 1 ] || [ -e {fixed} ]")
        + step("b", f"echo b$(I) >> {trace}", depends="a")
        + step("c", f"echo c$(I) >> {trace}", depends="b")
        + step("all", f"echo all >> {trace}", depends="c_*")
    )
    out = tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(3))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted", count=4)
    if alive:
        go.touch()
        assert driver.wait() == 2
    else:
        driver.kill()
        go.touch()
        wait_until(lambda: set(reasons(slurm)) <= STUCK, 60, "only jobs that never begin are left in the queue")
        assert mtui.run("--no-ui", out, env=slurm.env).returncode == 2
    wait_until(lambda: not reasons(slurm), 60, "the driver has removed these")
    found = mtui.statuses(out)
    assert (found["a_I.1"], found["b_I.1"], found["c_I.1"], found["all"]) == ("failed", "blocked", "blocked", "blocked")
    assert {found[f"{name}_I.{number}"] for name in "abc" for number in (0, 2)} == {"finished"}
    before = len(calls(out))
    fixed.touch()
    go.unlink()
    assert mtui.run("retry", out).returncode == 0
    second = mtui.Driver(out, log=tmp_path / "log2", env=slurm.env)
    second.wait_for("submitted", count=4)
    go.touch()
    assert second.wait() == 0
    assert Counter(trace.read_text().split()) == Counter(["b0", "b1", "b2", "c0", "c1", "c2", "all"])
    bound = [option(call, "dependency").partition(":")[0] for call in calls(out)[before:]]
    assert bound == ["", "afterok", "afterok", "afterok"]


def test_one_task_is_cancelled_and_retried_without_touching_its_neighbours(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = step("a", f"echo a$(I) >> {trace}; {wait_file(go)}") + step("b", f"echo b$(I) >> {trace}", depends="a")
    out = tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(4))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    until_begun(trace, 4)
    state_of(out, "b_I.2", "bound")
    array = jobs(out)["a_I.2"].partition("_")[0]
    assert mtui.run("cancel", out, "a_I.2").stdout == "done: 1 being cancelled\n"
    state_of(out, "a_I.2", "cancelled")
    state_of(out, "b_I.2", "blocked")
    assert "CANCELLED" in (out / "a" / "I.2" / "a_I.2.err").read_text()  # Slurm's own word, in the log of that task
    assert "CANCELLED" not in (out / "a" / "I.1" / "a_I.1.err").read_text()
    assert mtui.run("retry", out, "a_I.2").stdout == "done: 1 will run again\n"
    driver.wait_for("started", count=5)
    assert (out / "a" / "I.2" / "a_I.2.1.err").exists()
    go.touch()
    assert driver.wait() == 0
    assert Counter(trace.read_text().split()) == Counter(["a0", "a1", "a2", "a2", "a3", "b0", "b1", "b2", "b3"])
    assert all(jobs(out)[f"a_I.{number}"] == f"{array}_{number}" for number in (0, 1, 3))


def test_waiting_task_of_an_array_is_cancelled_although_slurm_forgets_it(slurm: Cluster, tmp_path: Path) -> None:
    steps = step("a", "echo $(I)", head="#SBATCH --hold") + step("b", "true", depends="a")
    out = tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(4))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted", count=2)
    assert mtui.run("cancel", out, "a_I.2").stdout == "done: 1 being cancelled\n"
    (end,) = driver.wait_for("ended", 45, instance=2)  # before a lost job would count as lost
    assert (end["status"], end["cause"]) == ("cancelled", "by command")
    state_of(out, "b_I.2", "blocked")
    assert mtui.statuses(out)["a_I.1"] == "pending"
    assert mtui.run("cancel", "--yes", out).returncode == 0
    assert driver.wait() == 3
    assert set(mtui.statuses(out).values()) == {"cancelled", "blocked"}


def test_bound_instance_is_held_and_released(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = (
        step("a", f"{wait_file(go)}; echo $(I)")
        + step("b", f"echo b$(I) >> {trace}", depends="a")
        + step("c", f"echo c$(I) >> {trace}", depends="b")
    )
    out = tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(2))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted", count=3)
    state_of(out, "c_I.1", "bound")
    assert mtui.run("hold", out, "b_I.1").stdout == "done: 1 held\n"
    state_of(out, "b_I.1", "held")
    state_of(out, "c_I.1", "waiting")
    go.touch()
    state_of(out, "c_I.0", "finished")
    state_of(out, "a_I.1", "finished")
    assert mtui.statuses(out)["b_I.1"] == "held"
    assert mtui.run("release", out, "b_I.1").stdout == "done: 1 released\n"
    assert driver.wait() == 0
    assert sorted(trace.read_text().split()) == ["b0", "b1", "c0", "c1"]


def test_step_that_only_waits_for_ends_begins_without_a_driver(slurm: Cluster, tmp_path: Path) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    steps = (
        step("a", f"{wait_file(go)}; [ $(I) = 0 ]")
        + step("all", "date")
        + step("each", "date; true $(I)")
        + "mtui: {steps: {all: {after: ['a_*']}, each: {after: [a]}}}\n"
    )
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(2))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted", count=4)
    first, *bound = calls(out)
    driver.kill()
    array = first.rpartition("-> ")[2]
    found = sorted(option(call, "dependency") for call in bound)
    assert found == [f"afterany:{array}", f"afterany:{array}_0", f"afterany:{array}_1"]
    go.touch()
    for place in ("all/all", "each/I.0/each_I.0", "each/I.1/each_I.1"):
        wait_until(lambda place=place: (out / f"{place}.out").exists(), 60, f"{place} has run")
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 2
    expected = {"a_I.0": "finished", "a_I.1": "failed", "all": "finished"}
    assert mtui.statuses(out) == {**expected, "each_I.0": "finished", "each_I.1": "finished"}


@pytest.mark.parametrize("end", ["all succeed", "the first fails", "the second fails"])
def test_step_that_follows_the_end_of_a_bound_job_begins_without_a_driver(
    slurm: Cluster, tmp_path: Path, end: str
) -> None:
    """Also if that job never begins: it stays in the queue, until a driver removes it."""
    go, out = tmp_path / "go", tmp_path / "out"
    steps = (
        step("a", f"{wait_file(go)}; [ $(I) != 0 ] || {'false' if end == 'the first fails' else 'true'}")
        + step("b", "true $(I)", depends="a")
        + step("c", f"[ $(I) != 0 ] || {'false' if end == 'the second fails' else 'true'}", depends="b")
        + step("tidy", "date; true $(I)")
        + "mtui: {steps: {tidy: {after: [c]}}}\n"
    )
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(2))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted", count=5)
    driver.kill()
    go.touch()
    for row in (0, 1):
        place = out / f"tidy/I.{row}/tidy_I.{row}.out"
        wait_until(place.exists, 60, f"{place} is written")
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == (0 if end == "all succeed" else 2)
    wait_until(lambda: not reasons(slurm), 60, "the driver has removed what never begins")
    found = mtui.statuses(out)
    assert {found[f"{name}_I.1"] for name in ("a", "b", "c", "tidy")} | {found["tidy_I.0"]} == {"finished"}
    expected = {
        "all succeed": ("finished", "finished", "finished"),
        "the first fails": ("failed", "blocked", "blocked"),
        "the second fails": ("finished", "finished", "failed"),
    }[end]
    assert (found["a_I.0"], found["b_I.0"], found["c_I.0"]) == expected


def test_local_step_in_between_is_waited_for(slurm: Cluster, tmp_path: Path) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    steps = (
        step("a", "echo a$(I)")
        + step("here", "cat $(a.workspace)/*.out", depends="a", where="")
        + step("b", f"{wait_file(go)}; cat $(here.workspace)/*.out", depends="here")
        + step("c", "cat $(b.workspace)/*.out", depends="b")
    )
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(2))
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted")
    for number in (0, 1):
        state_of(out, f"c_I.{number}", "bound", 60)
    go.touch()
    assert driver.wait(240) == 0
    assert (out / "c" / "I.1" / "c_I.1.out").read_text() == "a1\n"
    found = [(option(call, "job-name").partition(":")[2][:1], option(call, "dependency")[:5]) for call in calls(out)]
    assert ("b", "after") not in found
    assert ("c", "after") in found


@pytest.mark.parametrize("how", ["options", "block"])
def test_arrays_and_submissions_ahead_can_be_turned_off(slurm: Cluster, tmp_path: Path, how: str) -> None:
    steps = step("a", "sleep 0.2; echo $(I)") + step("b", "true", depends="a")
    options = ("--no-submit-ahead", "--array", "1") if how == "options" else ()
    if how == "block":
        steps += "mtui: {submit_ahead: false, array: 1}\n"
    code, out = run_study(slurm, tmp_path, steps, *options, parameters=rows(3))
    assert code == 0
    assert len(calls(out)) == 6
    assert not any(option(call, "dependency") or option(call, "array") for call in calls(out))


def test_own_directives_that_cannot_be_shared_make_single_jobs(slurm: Cluster, tmp_path: Path) -> None:
    steps = step("a", "echo $(I)", head="#SBATCH --output=own.log") + step("b", "true", depends="a")
    code, out = run_study(slurm, tmp_path, steps, parameters=rows(3))
    assert code == 0
    assert (out / "a" / "I.2" / "own.log").read_text() == "2\n"
    of_a = [call for call in calls(out) if ":a" in option(call, "job-name")]
    assert [option(call, "array") for call in of_a] == ["", "", ""]


@pytest.mark.parametrize("accounting", [True, False], ids=["limit read", "limit learned"])
def test_limit_is_a_window_that_is_not_run_into(slurm: Cluster, tmp_path: Path, accounting: bool) -> None:
    steps = step("a", "echo $(I)") + step("b", "cat $(a.workspace)/*.out", depends="a")
    env = dict(slurm.env)
    if not accounting:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "sacctmgr").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / "sacctmgr").chmod(0o755)
        env["PATH"] = f"{tmp_path / 'bin'}:{env['PATH']}"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED.replace("regular", "debug"), parameters=rows(30))
    out = tmp_path / "out"
    done = mtui.run("--no-ui", "-o", out, spec, env=env, timeout=240)
    assert done.returncode == 0, done.stdout
    refused = sum("QOSMaxSubmitJobPerUserLimit" in call for call in calls(out))
    print(f"{refused} refused of {len(calls(out))} submissions, limit {'read' if accounting else 'learned'}")
    # Slurm may count a job that has ended for longer than the driver does: how often that is, nobody can say.
    if accounting:
        assert fullest(out) <= 5
    else:
        assert 2 * refused < len(calls(out))
