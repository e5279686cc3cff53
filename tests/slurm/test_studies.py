"""Whole studies on a real cluster: what runs, what fails and how it is named, what continues meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

SHARED = "{type: slurm, host: h, bank: m1234, queue: shared, qos: regular}"


def step(
    name: str, cmd: str, *, depends: str = "", where: str = 'procs: 1, walltime: "00:05:00"', head: str = ""
) -> str:
    """One step; `head` is put before the command on separate lines."""
    lines = "".join(f"        {line}\n" for line in [*head.splitlines(), *cmd.splitlines()])
    keys = "".join(f"    {key.strip()}\n" for key in where.split(", ") if key)
    needs = f"    depends: [{depends}]\n" if depends else ""
    return f"- name: {name}\n  description: d\n  run:\n    cmd: |\n{lines}{keys}{needs}"


def run_study(slurm: Cluster, tmp_path: Path, steps: str, *options: str, **parts: str) -> tuple[int, Path]:
    """Run a study to its end; the exit code and the directory."""
    spec = mtui.write_study(tmp_path / "study.yaml", steps, batch=parts.pop("batch", SHARED), **parts)
    out = tmp_path / "out"
    done = mtui.run("--no-ui", "-o", out, *options, spec, env=slurm.env, timeout=240)
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, out


def fullest(out: Path) -> int:
    """The most instances that were in Slurm or on their way to it at a time, as the driver knew it."""
    there: set[int] = set()
    members: dict[str, set[int]] = {}
    most = 0
    for path in sorted((out / ".mtui" / "journal").glob("*.jsonl")):
        for event in map(json.loads, path.read_text().splitlines()):
            if event["type"] == "submit_intended" and event["backend"] == "slurm":
                members[event["submission"]] = {index for index, _ in event["members"]}
                there |= members[event["submission"]]
                most = max(most, len(there))
            elif event["type"] in ("submit_deferred", "submit_refused"):
                there -= members.get(event["submission"], set())
            elif event["type"] == "ended":
                there.discard(event["instance"])
    return most


def test_perlmutter_size_sweep_leaves_three_result_lines(slurm: Cluster, shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = mtui.run("--no-ui", "-o", out, shared / "perlmutter" / "size_sweep.yaml", env=slurm.env)
    assert done.returncode == 0, done.stdout + done.stderr
    report = (out / "aggregate_results" / "final_report.txt").read_text().splitlines()
    assert report == ["size=10 result=45", "size=100 result=4950", "size=1000 result=499500"]


def test_perlmutter_demo_runs_to_its_end(slurm: Cluster, shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = mtui.run("--no-ui", "-o", out, shared / "perlmutter" / "perlmutter_demo.yaml", env=slurm.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len((out / "compute" / "result.txt").read_text().splitlines()) == 10_000


def test_written_scripts_can_be_handed_to_sbatch_as_they_are(slurm: Cluster, shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert mtui.run("--dry", "-o", out, shared / "perlmutter" / "size_sweep.yaml", env=slurm.env).returncode == 0
    workspace = out / "run_simulation" / "SIZE.100"
    script = workspace / "run_simulation_SIZE.100.slurm.sh"
    slurm.run("sbatch", "--wait", "--chdir", str(workspace), str(script))
    assert (workspace / "output.dat").read_text() == "size=100 result=4950\n"


def test_each_kind_of_end_has_its_name_and_cause(slurm: Cluster, tmp_path: Path) -> None:
    steps = "".join(
        [
            step("fine", "echo fine"),
            step("exit3", "echo sad >&2; exit 3"),
            step("killed", "kill -9 $$"),
            step("cancelled", "scancel $SLURM_JOB_ID; sleep 60"),
            step("nopart", "echo", head="#SBATCH --partition=nosuch"),
            step("overtime", "sleep 300", where='procs: 1, walltime: "00:01:00"'),
            step("child", "echo never", depends="exit3"),
            step("grandchild", "echo never", depends="child, fine", where=""),
            step("here", "nosuchcommand", where=""),
        ]
    )
    code, out = run_study(slurm, tmp_path, steps, "-s", "5")
    assert code == 3  # one was cancelled, which wins over failures
    assert mtui.statuses(out) == {
        "fine": "finished",
        "exit3": "failed",
        "killed": "failed",
        "cancelled": "cancelled",
        "nopart": "failed",
        "overtime": "timed out",
        "child": "blocked",
        "grandchild": "blocked",
        "here": "failed",
    }
    causes = {item["name"]: item["cause"] for item in mtui.status(out)["instances"]}
    assert "exit code 3" in causes["exit3"]
    assert "signal KILL" in causes["killed"]
    assert "outside" in causes["cancelled"]
    assert "nosuch" in causes["nopart"]
    assert "walltime" in causes["overtime"]
    assert "not found" in causes["here"]
    assert "sad" in mtui.run("status", out).stdout


def test_failed_study_exits_with_2_and_the_rest_continues(slurm: Cluster, tmp_path: Path) -> None:
    steps = step("bad", "exit 1") + step("good", "true") + step("after_good", "echo yes", depends="good")
    code, out = run_study(slurm, tmp_path, steps)
    assert code == 2
    assert mtui.statuses(out) == {"bad": "failed", "good": "finished", "after_good": "finished"}


def test_node_that_goes_down_is_named(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("long", "sleep 300"), batch=SHARED)
    driver = mtui.Driver("-s", "2", "-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    node = driver.wait_for("started")[0]["node"]
    slurm.set_node(node, "down")
    ended = driver.wait_for("ended", seconds=90)[0]
    assert (ended["status"], node in ended["cause"]) == ("node failed", True)
    assert driver.wait() == 2


def test_suspended_and_resumed_job_is_no_failure(slurm: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    spec = mtui.write_study(tmp_path / "s.yaml", step("long", f"while [ ! -e {go} ]; do sleep 0.1; done"), batch=SHARED)
    driver = mtui.Driver("-s", "1", "-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    job = driver.wait_for("started")[0]["job"]
    slurm.run("scontrol", "suspend", job)
    driver.wait_for("observed", status="suspended")
    slurm.run("scontrol", "resume", job)
    driver.wait_for("observed", status="running")
    go.touch()
    assert driver.wait() == 0


def test_requeued_job_runs_again_under_its_claim(slurm: Cluster, tmp_path: Path) -> None:
    trace, go = tmp_path / "trace", tmp_path / "go"
    cmd = f"echo run >> {trace}\nwhile [ ! -e {go} ]; do sleep 0.1; done"
    spec = mtui.write_study(tmp_path / "s.yaml", step("again", cmd, head="#SBATCH --requeue"), batch=SHARED)
    driver = mtui.Driver("-s", "1", "-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    (begun,) = driver.wait_for("started")
    job = begun["job"]
    wait_until(trace.exists, 60, "the payload runs")
    slurm.run("scontrol", "requeue", job)
    driver.wait_for("observed", status="requeued", seconds=30)

    def reason() -> str:
        return slurm.run("squeue", "--noheader", f"--jobs={job}", "--format=%r").stdout.strip()

    # Slurm holds a requeued job for minutes, since a node takes no job again in the moment in which it has ended it.
    wait_until(lambda: reason() == "BeginTime", 30, "it is held")
    go.touch()
    slurm.run("scontrol", "update", f"JobId={job}", f"ExcNodeList={begun['node']}", "StartTime=now")
    wait_until(lambda: [event["type"] for event in driver.events()].count("started") == 2, 60, "it runs again")
    assert driver.wait(60) == 0
    assert trace.read_text() == "run\nrun\n"


def test_submit_limit_is_waited_for(slurm: Cluster, tmp_path: Path) -> None:
    steps = step("s", "sleep 0.3; echo $(I)") + step("all", "cat $(s.workspace)/*/*.out", depends="s_*", where="")
    rows = ", ".join(str(number) for number in range(12))
    code, out = run_study(
        slurm,
        tmp_path,
        steps,
        batch=SHARED.replace("regular", "debug"),
        parameters=f"  I: {{values: [{rows}], label: I.%%}}",
    )
    assert code == 0
    assert sorted((out / "all" / "all.out").read_text().split(), key=int) == rows.split(", ")
    assert fullest(out) <= 5  # the limit was read


def test_ends_are_known_without_sacct_and_without_user(slurm: Cluster, tmp_path: Path) -> None:
    env = {key: value for key, value in slurm.without_accounting.items() if key not in ("USER", "LOGNAME")}
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true") + step("b", "exit 4", depends="a"), batch=SHARED)
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=env)
    assert done.returncode == 2, done.stdout + done.stderr
    assert mtui.statuses(tmp_path / "out") == {"a": "finished", "b": "failed"}


def test_controller_that_is_away_delays_but_fails_nothing(slurm: Cluster, tmp_path: Path) -> None:
    go = tmp_path / "go"
    steps = step("first", f"while [ ! -e {go} ]; do sleep 0.1; done") + step("second", "true", depends="first")
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    options = ("-s", "1", "--no-submit-ahead", "-o", tmp_path / "out")  # else Slurm would carry it to its end alone
    driver = mtui.Driver(*options, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started")
    slurm.stop_controller()
    driver.wait_for("slurm_silent", seconds=60)
    wait_until(lambda: "does not answer" in mtui.run("status", tmp_path / "out").stdout, 30, "status reports it")
    go.touch()
    driver.wait_for("ended", status="finished")  # the job reports it, with or without Slurm
    slurm.start_controller()
    driver.wait_for("slurm_answers", seconds=60)
    assert driver.wait(90) == 0


def test_odd_characters_in_paths_names_and_values(slurm: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "dir" 100% & $HOME'
    folder.mkdir()
    steps = step("'odd na/me %j'", 'echo "$(V.label)"; pwd') + step("all", "true", depends="'odd na/me %j_*'")
    spec = mtui.write_study(
        folder / "s.yaml", steps, batch=SHARED, parameters='  V: {values: ["a b", "c%x", "d,e;f"], label: "V.%%"}'
    )
    out = folder / "out dir"
    done = mtui.run("--no-ui", "-o", out, spec, env=slurm.env)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = sorted(path.read_text().splitlines() for path in out.glob("odd_name_j/*/*.out"))
    assert [lines[0] for lines in logs] == ["V.a b", "V.c%x", "V.d,e;f"]
    assert all(lines[1].startswith(str(out)) for lines in logs)


def test_downstream_starts_without_waiting_for_the_poll(slurm: Cluster, tmp_path: Path) -> None:
    """With a poll of an hour a chain still runs through: the jobs' own records drive it."""
    steps = "".join(step(f"s{number}", "true", depends=f"s{number - 1}" if number else "") for number in range(4))
    code, _ = run_study(slurm, tmp_path, steps, "-s", "3600")
    assert code == 0


def test_signals_traps_and_user_directives_work_as_without_us(slurm: Cluster, tmp_path: Path) -> None:
    cmd = "trap 'echo caught; exit 0' USR1\necho ready\nwhile true; do sleep 0.1; done"
    named = tmp_path / "elsewhere.log"
    spec = mtui.write_study(
        tmp_path / "s.yaml", step("sig", cmd, head=f"#SBATCH --output={named}\n#SBATCH --time=00:03:00"), batch=SHARED
    )
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    job = driver.wait_for("started")[0]["job"]
    wait_until(lambda: named.exists() and "ready" in named.read_text(), 20, "the script is ready")
    assert "TimeLimit=00:03:00" in slurm.run("scontrol", "show", "job", job).stdout
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    assert driver.wait() == 0
    assert named.read_text() == "ready\ncaught\n"


def test_driver_in_a_job_does_not_leak_its_job_into_what_it_submits(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(
        tmp_path / "s.yaml", step("a", "echo tasks=$SLURM_NTASKS mem=$SLURM_MEM_PER_NODE"), batch=SHARED
    )
    env = {**slurm.env, "SLURM_JOB_ID": "999999", "SLURM_NTASKS": "7", "SBATCH_PARTITION": "nosuch"}
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "a" / "a.out").read_text().startswith("tasks=1 ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_releases_the_study_and_the_directory_can_be_resumed(
    slurm: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    cmd = f"echo run >> {trace}\nwhile [ ! -e {go} ]; do sleep 0.1; done"
    steps = step("job", cmd) + step("here", cmd, where="") + step("end", "true", depends="job, here", where="")
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    out = tmp_path / "out"
    first = subprocess.Popen(
        [*mtui.COMMAND, "--no-ui", "-o", str(out), str(spec)], env=slurm.env, stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: trace.exists() and trace.read_text() == "run\nrun\n", 60, "both payloads run")
    os.kill(first.pid, number)
    said = first.communicate(timeout=30)[0]
    assert first.returncode == 128 + number
    assert f"mtui --no-ui {out}" in said
    go.touch()
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 0
    assert trace.read_text() == "run\nrun\n"


def test_killed_driver_is_followed_and_nothing_runs_twice(slurm: Cluster, tmp_path: Path) -> None:
    trace, go = tmp_path / "trace", tmp_path / "go"
    cmd = f"echo $(I) >> {trace}\nwhile [ ! -e {go} ]; do sleep 0.1; done"
    steps = step("job", cmd) + step("all", "true", depends="job_*", where="")
    spec = mtui.write_study(
        tmp_path / "s.yaml", steps, batch=SHARED, parameters="  I: {values: [1, 2, 3, 4, 5, 6], label: I.%%}"
    )
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started", count=2)
    driver.kill()
    go.touch()
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 0
    assert sorted(trace.read_text().split()) == ["1", "2", "3", "4", "5", "6"]


def test_unknown_account_is_reported_in_slurms_words(slurm: Cluster, tmp_path: Path) -> None:
    code, out = run_study(slurm, tmp_path, step("a", "true"), batch=SHARED.replace("m1234", "nosuch"))
    assert code == 2
    assert "Invalid account" in mtui.instance(out, "a")["cause"]
