"""The job-side runner, run for real under every shell that /bin/sh is on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.unit.backends.job_study import FOUND, RUNNER, SHELLS, Study

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


def test_missing_workspace_is_reported_and_nothing_runs(study: Study) -> None:
    study.workspace.rmdir()
    assert study.run("") == 72
    assert [(record["kind"], record["code"], record["error"]) for record in study.records()] == [
        ("exit", 72, "the workspace does not exist")
    ]


def test_missing_interpreter_is_a_command_not_found(study: Study) -> None:
    assert study.run("true", words=("/no/such/shell",)) == 127
    assert "/no/such/shell" in study.err.read_text()


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
    of_shells = ("PWD", "SHLVL", "_")
    expected = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "node1", **given}
    assert {name: value for name, value in seen.items() if name not in of_shells} == expected


EXPORTED = {
    "BASH_FUNC_module%%": '() {  echo "it\'s\n module $1"\n}',
    **{f"BASH_FUNC_{name}%%": "() {  echo not the builtin\n}" for name in ("cd", "printf", "read", "env", "wait")},
    "name.with-dots": "a 'b'\n\\ $HOME `c`  ",
}


@pytest.mark.parametrize("local", [False, True], ids=["slurm", "local"])
def test_exported_functions_and_odd_names_reach_the_script(study: Study, local: bool) -> None:
    """dash drops them; bash as sh would call the functions in the runner."""
    own = {"MTUI_DROPPED": "1"} if local else {}
    code = study.run(
        "module 3; command env -0 > environment", env={**EXPORTED, **own}, local=local, words=("/bin/bash",)
    )
    seen = dict(item.split("=", 1) for item in (study.workspace / "environment").read_text().split("\0") if item)
    assert (code, study.out.read_text(), study.err.read_text()) == (0, "it's\n module 3\n", "")
    assert {name: text for name, text in seen.items() if not name.isidentifier()} == EXPORTED
    assert not [name for name in seen if "mtui" in name.lower()]


@pytest.mark.parametrize("local", [False, True], ids=["slurm", "local"])
def test_former_directory_is_not_the_runners(study: Study, local: bool) -> None:
    env = {"OLDPWD": "/usr"}
    study.run("import os; print(os.environ['OLDPWD'])", env=env, local=local, words=(sys.executable,))
    assert study.out.read_text() == "/usr\n"


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


# --- options of the shell that the user has exported

OPTIONS = ["errexit", "nounset", "noglob", "noclobber", "xtrace", "verbose", "allexport", "monitor", "notify"]


@pytest.mark.parametrize("local", [False, True], ids=["slurm", "local"])
@pytest.mark.parametrize("option", ["errexit", "nounset", "monitor", ":".join(OPTIONS)])
def test_exported_options_of_the_shell_are_the_scripts_alone(study: Study, option: str, local: bool) -> None:
    env = {"SHELLOPTS": option, "BASHOPTS": "failglob:nocasematch"}

    code = study.run("env -0 > environment; exit 3", env=env, local=local)

    assert code == 3
    assert [record["code"] for record in study.records("exit")] == [3]
    items = (study.workspace / "environment").read_text().split("\0")
    seen = dict(item.split("=", 1) for item in items if item)
    assert set(option.split(":")) <= set(seen["SHELLOPTS"].split(":"))
    assert {"failglob", "nocasematch"} <= set(seen["BASHOPTS"].split(":"))


def test_exported_options_do_not_end_a_job_that_finds_its_claim_taken(study: Study) -> None:
    study.claim().write_text("8\n")
    assert study.run("true", env={"SHELLOPTS": ":".join(OPTIONS), "SLURM_RESTART_COUNT": "1"}) == 75
    assert [record["kind"] for record in study.records()] == ["twin"]


def test_requeued_job_begins_again_with_exported_options(study: Study) -> None:
    study.claim().write_text("7\n")
    env = {"SHELLOPTS": ":".join(OPTIONS), "BASHOPTS": "failglob", "SLURM_RESTART_COUNT": "1"}
    assert study.run("exit 4", env=env) == 4
