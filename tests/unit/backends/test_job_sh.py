"""The job-side runner, run for real under every shell that /bin/sh is on a cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until

RUNNER = Path(__file__).parents[3] / "core" / "backends" / "job.sh"
SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash as sh": ["bash", "--posix"]}
FOUND = [name for name, words in SHELLS.items() if shutil.which(words[0])]
LOOP = "touch ready\nwhile [ ! -e go ]; do sleep 0.02; done\n"  # a payload that runs until it is told to go


class Study:
    """A study directory as the runner sees it, its paths as awkward as users make them."""

    def __init__(self, root: Path, shell: list[str]) -> None:
        self.shell = shell
        self.home = root / 'it\'s a "study" $HOME' / ".mtui"
        self.workspace = root / "work *here* 'now'"
        for folder in ("spool/new", "claims"):
            (self.home / folder).mkdir(parents=True)
        self.workspace.mkdir()
        self.err = root / "stderr"
        self.out = root / "stdout"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        script: str,
        *,
        job: str = "7",
        attempt: str = "3.1",
        local: bool = False,
        term: bool = False,
        words: tuple[str, ...] = ("/bin/sh",),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        path = self.workspace / "a 'b' c.slurm.sh"
        if not path.exists() and self.workspace.is_dir():
            path.write_text(script)
        arguments = [attempt, str(self.home), str(self.workspace), str(path), "here" if local else "", "1" * term]
        with self.out.open("ab") as out, self.err.open("ab") as err:
            process = subprocess.Popen(
                [*self.shell, str(RUNNER), *arguments, *words],
                env={"PATH": os.environ["PATH"], "SLURM_JOB_ID": job, "SLURMD_NODENAME": "node1", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def run(self, script: str, **options: Any) -> int:
        return self.start(script, **options).wait(30)

    def until_ready(self) -> None:
        wait_until((self.workspace / "ready").exists, 10, f"the payload begins; {self.err.read_text()}")

    def until_taken(self) -> None:
        """Until the runner has the signals that it was sent: bash loses the code of a process that ends before that."""

        def taken() -> bool:
            lines = Path(f"/proc/{self.started[-1].pid}/status").read_text().splitlines()
            return not any(int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd")))

        wait_until(taken, 10, "the runner has taken the signals")

    def go(self) -> None:
        (self.workspace / "go").touch()

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        texts = [path.read_text() for path in sorted((self.home / "spool" / "new").iterdir())]
        return [record for record in map(json.loads, texts) if kind in ("", record["kind"])]

    def claim(self, attempt: str = "3.1") -> Path:
        return self.home / "claims" / attempt


@pytest.fixture(params=FOUND)
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Study]:
    study = Study(tmp_path, SHELLS[request.param])
    yield study
    for process in study.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- the claim


def test_one_of_twenty_concurrent_jobs_runs_the_payload(study: Study) -> None:
    jobs = {str(job): study.start("echo ran >> trace", job=str(job)) for job in range(20)}
    codes = {job: process.wait(60) for job, process in jobs.items()}
    winners = [job for job, code in codes.items() if code == 0]
    assert len(winners) == 1
    assert sorted(codes.values()) == [0] + [75] * 19
    assert (study.workspace / "trace").read_text() == "ran\n"
    twins = study.records("twin")
    assert {record["job"] for record in twins} == set(jobs) - set(winners)
    assert {record["owner"] for record in twins} == set(winners)
    assert [record["job"] for record in study.records("exit")] == winners


def test_twin_says_in_its_log_why_it_ends(study: Study) -> None:
    study.claim().write_text("6\n")
    assert study.run("echo ran >> trace") == 75
    assert study.err.read_text() == "mtui: attempt 3.1 is already taken by job 6; this job ends\n"
    assert not (study.workspace / "trace").exists()


def test_attempts_of_one_instance_do_not_share_a_claim(study: Study) -> None:
    assert [study.run("echo ran >> trace", attempt=attempt) for attempt in ("3.1", "3.2", "31.1")] == [0, 0, 0]


def test_twin_waits_until_the_owner_has_written_its_name(study: Study, tmp_path: Path) -> None:
    study.claim().touch()  # created, and not yet written: where the runner sleeps, the owner goes on
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sleep").write_text(f"#!/bin/sh\necho 6 > '{tmp_path}/claim'\n")
    (tools / "sleep").chmod(0o755)
    (tmp_path / "claim").symlink_to(study.claim())
    assert study.run("true", env={"PATH": f"{tools}:{os.environ['PATH']}"}) == 75
    assert [record["owner"] for record in study.records()] == ["6"]


def test_claim_that_cannot_be_written_is_told_as_such(study: Study) -> None:
    (study.home / "claims").rmdir()
    assert study.run("echo ran >> trace") == 73
    assert [(record["kind"], record["code"]) for record in study.records()] == [("exit", 73)]
    assert "claim" in study.records()[0]["error"]
    assert not (study.workspace / "trace").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_claim_for_which_there_is_no_room_is_left_as_it_was_found(study: Study) -> None:
    claims = study.home / "claims"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(claims)], check=True)
    try:
        (claims / "full").write_bytes(b"x" * 4096)
        assert study.run("echo ran >> trace", local=True) == 73
        assert [(record["kind"], record["code"]) for record in study.records()] == [("exit", 73)]
        (claims / "full").unlink()
        assert study.run("", local=True) == 0  # the attempt is still to be had
    finally:
        subprocess.run(["umount", str(claims)], check=True)
    assert (study.workspace / "trace").read_text() == "ran\n"


def test_requeued_job_goes_on_under_its_own_claim(study: Study) -> None:
    script = "echo ran >> trace; ls '{}' > seen".format(str(study.home / "spool" / "new").replace("'", "'\\''"))
    assert study.run(script) == 0
    # The end of the run before it is no end of the job any more, from the moment at which it begins again.
    for restarts, starts in (("1", ["3.1.start.7", "3.1.start.7_r1"]), ("2", ["3.1.start.7_r2"])):
        assert study.run(script, env={"SLURM_RESTART_COUNT": restarts}) == 0
        seen = (study.workspace / "seen").read_text().split()
        assert not [name for name in seen if ".exit." in name]
        assert set(starts) <= set(seen)
    assert (study.workspace / "trace").read_text() == "ran\nran\nran\n"


def test_each_run_of_a_requeued_job_has_records_of_its_own(study: Study) -> None:
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
    assert study.run('echo "[$MTUI_JOB_ID]" > told', job="", env=env) == 0
    assert {record["job"] for record in study.records()} == {"q_9"}
    assert study.claim().read_text() == "q_9\n"
    assert (study.workspace / "told").read_text() == "[]\n"


def test_local_step_is_never_taken_for_a_requeued_one(study: Study) -> None:
    study.claim().write_text("1\n")
    assert study.run("true", local=True, env={"SLURM_RESTART_COUNT": "2"}) == 75


# --- ends


@pytest.mark.parametrize("code", [0, 1, 3, 75, 126, 127, 128, 255])
def test_exit_code_is_passed_on_and_recorded(study: Study, code: int) -> None:
    assert study.run(f"exit {code}") == code
    (record,) = study.records("exit")
    assert (record["code"], record["signal"]) == (code, "")


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM"])
def test_end_by_a_signal_is_recorded_as_shells_count_it_and_without_a_word_in_the_log(study: Study, name: str) -> None:
    code = 128 + signal.Signals[f"SIG{name}"]
    assert study.run(f"kill -{name} $$") == code
    assert [record["code"] for record in study.records("exit")] == [code]
    assert study.err.read_text() == ""


def test_missing_workspace_is_told_and_nothing_runs(study: Study) -> None:
    study.workspace.rmdir()
    assert study.run("") == 72
    assert [(record["kind"], record["code"], record["error"]) for record in study.records()] == [
        ("exit", 72, "the workspace is not there")
    ]


def test_missing_interpreter_is_a_command_not_found(study: Study) -> None:
    assert study.run("true", words=("/no/such/shell",)) == 127
    assert "/no/such/shell" in study.err.read_text()


# --- records


def test_records_are_complete_and_leave_nothing_half_made(study: Study) -> None:
    study.run("exit 4")
    common = {"v": 1, "attempt": "3.1", "job": "7", "node": "node1"}
    assert study.records() == [
        {**common, "kind": "exit", "code": 4, "signal": ""},
        {**common, "kind": "start"},
    ]
    files = sorted((study.home / "spool").rglob("*.*"))
    assert [path.name for path in files] == ["3.1.exit.7", "3.1.start.7"]
    assert all(path.read_text().endswith("}\n") for path in files)  # by this its reader knows that it is complete


def test_start_is_told_before_the_payload_begins(study: Study) -> None:
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


# --- signals


def test_signal_to_the_runner_reaches_the_scripts_trap_whose_exit_code_counts(study: Study) -> None:
    process = study.start("trap 'echo caught; exit 7' USR1\n" + LOOP)
    study.until_ready()
    process.send_signal(signal.SIGUSR1)
    assert process.wait(10) == 7
    assert study.out.read_text() == "caught\n"
    assert [(record["code"], record["signal"]) for record in study.records("exit")] == [(7, "USR1")]
    assert study.err.read_text() == ""


def test_script_that_goes_on_after_signals_ends_with_its_own_code(study: Study) -> None:
    process = study.start("trap 'echo 1 >> one' USR1\ntrap 'echo 2 >> two' USR2\n" + LOOP + "exit 9\n")
    study.until_ready()
    for name, trace in (("USR1", "one"), ("USR2", "two")):
        process.send_signal(signal.Signals[f"SIG{name}"])
        wait_until((study.workspace / trace).exists, 10, f"{name} is handed on")
    study.go()
    assert process.wait(10) == 9


def test_exit_code_127_after_a_signal_is_not_taken_for_the_signals(study: Study) -> None:
    process = study.start("trap 'touch caught' USR1\n" + LOOP + "exit 127\n")
    study.until_ready()
    process.send_signal(signal.SIGUSR1)
    wait_until((study.workspace / "caught").exists, 10, "USR1 is handed on")
    study.go()
    assert process.wait(10) == 127


def test_untrapped_signal_ends_the_script_and_counts_as_its_end(study: Study) -> None:
    process = study.start(LOOP)
    study.until_ready()
    process.send_signal(signal.SIGUSR2)
    assert process.wait(10) == 128 + signal.SIGUSR2
    assert study.err.read_text() == ""


def test_term_that_slurm_sends_to_everybody_is_not_sent_again(study: Study) -> None:
    process = study.start("trap 'echo caught' TERM\n" + LOOP)
    study.until_ready()
    process.terminate()  # to the runner alone, so whatever the script sees comes from the runner
    study.until_taken()
    study.go()
    assert process.wait(10) == 0
    assert study.out.read_text() == ""
    assert [record["signal"] for record in study.records("exit")] == ["TERM"]


def test_term_is_handed_on_if_slurm_was_asked_to_send_it_to_the_runner_alone(study: Study) -> None:
    process = study.start("trap 'echo caught; exit 5' TERM\n" + LOOP, term=True)
    study.until_ready()
    process.terminate()
    assert process.wait(10) == 5
    assert study.out.read_text() == "caught\n"


def test_script_that_saves_its_work_on_a_term_to_all_processes_ends_with_its_own_code(study: Study) -> None:
    process = study.start("trap 'touch saving; while [ ! -e go ]; do sleep 0.02; done; exit 6' TERM\n" + LOOP)
    study.until_ready()
    os.killpg(process.pid, signal.SIGTERM)
    wait_until((study.workspace / "saving").exists, 10, "the script has the signal")
    study.until_taken()
    study.go()
    assert process.wait(10) == 6
    assert [(record["code"], record["signal"]) for record in study.records("exit")] == [(6, "TERM")]


def test_term_to_all_processes_ends_a_script_that_does_not_trap_it(study: Study) -> None:
    process = study.start(LOOP)
    study.until_ready()
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(10) == 143
    assert [(record["code"], record["signal"]) for record in study.records("exit")] == [(143, "TERM")]


@pytest.mark.parametrize("name", ["INT", "QUIT", "HUP", "ALRM", "XCPU"])
def test_script_in_slurm_can_trap(study: Study, name: str) -> None:
    process = study.start(f"trap 'echo caught; exit 5' {name}\n" + LOOP)
    study.until_ready()
    process.send_signal(signal.Signals[f"SIG{name}"])
    assert process.wait(10) == 5
    assert study.out.read_text() == "caught\n"


# --- the script is the user's


def test_words_of_the_shebang_start_the_script(study: Study) -> None:
    assert study.run("false\necho not reached", words=("/bin/sh", "-e", "-u")) == 1
    assert study.out.read_text() == ""


def test_script_runs_in_its_workspace_under_its_own_name(study: Study) -> None:
    study.run('pwd; echo "$0"; echo "$#"')
    assert study.out.read_text().splitlines() == [
        str(study.workspace),
        str(study.workspace / "a 'b' c.slurm.sh"),
        "0",
    ]


@pytest.mark.parametrize(
    ("script", "code"),
    [("set -e\nfalse\nexit 0", 1), ("exec sh -c 'exit 8'", 8), ("trap 'exit 3' EXIT\nexit 0", 3)],
    ids=["set -e", "exec", "trap EXIT"],
)
def test_script_may_do_as_it_likes(study: Study, script: str, code: int) -> None:
    assert study.run(script) == code


@pytest.mark.parametrize("local", [False, True], ids=["slurm", "local"])
def test_environment_of_the_script_is_the_one_that_the_job_got(study: Study, local: bool) -> None:
    names = ("attempt", "home", "workspace", "script", "node", "job", "place", "file", "code", "signal", "name")
    given = {name: f"the user's own {name}" for name in names}
    study.run("env -0 > environment", env=given, local=local)
    seen = dict(item.split("=", 1) for item in (study.workspace / "environment").read_text().split("\0") if item)
    of_shells = ("PWD", "OLDPWD", "SHLVL", "_")
    expected = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "node1", **given}
    assert {name: value for name, value in seen.items() if name not in of_shells} == expected


def test_script_does_not_read_from_the_runner(study: Study) -> None:
    assert study.run("cat; echo done") == 0
    assert study.out.read_text() == "done\n"


def test_nothing_but_the_scripts_own_words_is_in_its_logs(study: Study) -> None:
    study.run("echo out; echo err >&2")
    assert (study.out.read_text(), study.err.read_text()) == ("out\n", "err\n")


def test_background_process_that_stays_does_not_hold_up_the_end(study: Study) -> None:
    process = study.start("sleep 300 &\necho $! > pid\n")
    assert process.wait(10) == 0
    left = int((study.workspace / "pid").read_text())
    os.kill(left, signal.SIGKILL)  # it was there still
    assert [record["code"] for record in study.records("exit")] == [0]


# --- the file itself


@pytest.mark.parametrize("shell", FOUND)
def test_runner_is_valid(shell: str) -> None:
    assert subprocess.run([*SHELLS[shell], "-n", RUNNER], capture_output=True, check=True).stderr == b""
