"""Wrong input and odd places: one clear message each, exit code 2, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import mtui

HELLO = "description: {name: t, description: d}\nstudy:\n- {name: a, description: d, run: {cmd: echo hello}}\n"
FILES = {
    "empty.yaml": b"",
    "tab.yaml": b"description:\n\tname: x\n",
    "binary.yaml": bytes(range(128, 256)),
    "nocmd.yaml": HELLO.replace("cmd: echo hello", "procs: 1").encode(),
    "circle.yaml": HELLO.replace("cmd: echo hello", "cmd: x, depends: [a]").encode(),
    "escape.yaml": HELLO.replace("cmd: echo hello", 'cmd: x, "\\e]0;T\\a\\e[2J": 1').encode(),
    "hello.yaml": HELLO.encode(),
    "lacks.yaml": (HELLO + "env: {dependencies: {paths: [{name: DATA, path: nosuch}]}}\n").encode(),
    "lost.yaml": (HELLO + "env: {variables: {OUTPUT_PATH: $(LOST)/x}}\n").encode(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "adir").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("missing.yaml", "missing.yaml: no such file"),
        ("--no-ui empty.yaml", "the file is empty"),
        ("tab.yaml", "tab.yaml:2:1: YAML syntax"),
        ("binary.yaml", "not UTF-8 text"),
        ("nocmd.yaml", "step 'a' has no 'cmd'"),
        ("plan circle.yaml", "depends on itself"),
        ("plan escape.yaml", "unknown key"),
        ("adir", "adir is not a study directory"),
        ("plan adir", "this is a directory"),
        ("-o adir hello.yaml", "exists already"),
        ("-o /proc/nothing/here hello.yaml", "cannot make"),
        ("status nowhere", "no such directory: nowhere"),
        ("statsu adir", "did you mean 'status'?"),
        ("plan hello.yaml --pargs A:1", "--pgen"),
        ("plan hello.yaml -p nosuch.py", "no such parameter generator file"),
        ("-t many hello.yaml", "'many' is not a whole number"),
        ("--bogus hello.yaml", "unrecognized arguments"),
        ("run -f -g hello.yaml", "unrecognized arguments: -g"),
        ("run -y -n hello.yaml", "not allowed with"),
        ("run -a 0 hello.yaml", "'0' is not a whole number from 1 up"),
        ("run -r -1 hello.yaml", "-r/--rlimit"),
        ("-d 1 statsu adir", "did you mean 'status'?"),
        ("-d loud hello.yaml", "invalid int value: 'loud'"),
        ("-n nocmd.yaml", "step 'a' has no 'cmd'"),
        ("run -n lacks.yaml", "dependency 'DATA' is not there"),
        ("-fg lost.yaml", "nothing replaces the '$'"),
    ],
)
def test_wrong_input_is_told_in_one_message_and_leaves_nothing(folder: Path, words: str, told: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    done = mtui.run(*words.split(), cwd=folder)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [
        "run -s 5 -t 2 -a 3 -r 1 --autoyes -o out hello.yaml",
        "-d 1 -l log -c run -fg --sleeptime 5 -o out hello.yaml",
        "-d1 --logpath=log hello.yaml -fg -y -o out",
    ],
)
def test_line_for_maestro_runs_as_it_is(folder: Path, words: str) -> None:
    done = mtui.run(*words.split(), cwd=folder)
    assert done.returncode == 0
    assert mtui.statuses(folder / "out") == {"a": "finished"}
    assert [line.split()[1] for line in done.stderr.splitlines()] == (["-d", "-l"] if "-d" in words else [])
    assert not (folder / "log").exists()


def test_answer_of_no_checks_and_makes_nothing(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    done = mtui.run("run", "-n", "hello.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "t: 1 instance. Not started; nothing made.\n")
    there = mtui.run("run", "-n", "-o", "adir", "hello.yaml", cwd=folder)
    assert (there.returncode, "adir exists already" in there.stdout) == (0, True)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_scripts_of_a_dry_run_in_a_temporary_directory_are_those_of_the_study(folder: Path) -> None:
    (folder / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(folder / "tmp")}
    (folder / "hello.yaml").write_text(HELLO.replace("echo hello", "cd $(WORKSPACE)"))
    told = mtui.run("run", "--dry", "--usetmp", "-n", "-o", "out", "hello.yaml", cwd=folder, env=env).stdout
    (script,) = (folder / "tmp").rglob("*.sh")
    assert told == f"1 script written in {script.parents[1]}; nothing was run\n"
    assert not (folder / "out").exists()
    assert mtui.run("run", "--dry", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    assert script.read_text() == (folder / "out" / script.relative_to(script.parents[1])).read_text()
    noted = mtui.run("run", "-fg", "--usetmp", "-o", "other", "hello.yaml", cwd=folder)
    assert (noted.returncode, "--usetmp has no effect without --dry" in noted.stderr) == (0, True)


def test_failed_start_leaves_nothing_of_a_deep_directory(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    git = "{git: [{name: CODE, path: new/clones, url: 'file:///nosuch'}]}"
    (folder / "hello.yaml").write_text(
        HELLO + f"env: {{variables: {{OUTPUT_PATH: runs/of/mine}}, dependencies: {git}}}\n"
    )
    done = mtui.run("-fg", "hello.yaml", cwd=folder)
    assert (done.returncode, "dependency 'CODE': " in done.stderr) == (2, True)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_slurm_study_without_slurm_says_what_to_do(folder: Path) -> None:
    text = HELLO.replace("cmd: echo hello", "cmd: x, procs: 1") + "batch: {type: slurm, host: h, bank: b, queue: q}\n"
    (folder / "slurm.yaml").write_text(text)
    env = {**os.environ, "PATH": str(folder)}
    done = mtui.run("--no-ui", "slurm.yaml", cwd=folder, env=env)
    assert (done.returncode, "--local" in done.stderr) == (2, True)
    assert not list(folder.glob("t_*"))


def test_study_that_is_over_is_told_without_a_new_driver(folder: Path) -> None:
    assert mtui.run("--no-ui", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    again = mtui.run("--no-ui", "out", cwd=folder)
    assert (again.returncode, "is finished" in again.stdout) == (0, True)
    assert len(list((folder / "out" / ".mtui" / "journal").iterdir())) == 1


def test_options_of_the_plan_are_refused_for_a_study_that_exists(folder: Path) -> None:
    assert mtui.run("--dry", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    for option in ("--dry", "--hashws", "--local", "--out=x", "-n"):
        done = mtui.run("--no-ui", option, "out", cwd=folder)
        assert (done.returncode, "study that exists" in done.stderr) == (2, True)
    assert mtui.statuses(folder / "out") == {"a": "ready"}


def test_command_that_waits_is_shown(folder: Path) -> None:
    (folder / "bad.yaml").write_text(HELLO.replace("echo hello", "exit 1"))
    assert mtui.run("--no-ui", "-o", "out", "bad.yaml", cwd=folder).returncode == 2
    assert "No driver is running" in mtui.run("retry", "out", cwd=folder).stdout
    assert "1 command" in mtui.run("status", "out", cwd=folder).stdout
    assert mtui.run("--no-ui", "out", cwd=folder).returncode == 2
    assert mtui.instance(folder / "out", "a")["attempt"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--set nodes=none", "'nodes' has to be a whole number of at least 1, not 'none'"),
        ("--set walltime=1h", "use hours:minutes:seconds"),
        ("a --set waltime=10", "did you mean 'walltime'?"),
        ("--set nodes", "write --set nodes=VALUE"),
        ("--set nodes=2 --set =3", "it can change walltime"),
    ],
)
def test_change_that_cannot_be_made_is_told_before_anything_is_sent(folder: Path, words: str, told: str) -> None:
    (folder / "bad.yaml").write_text(HELLO.replace("echo hello", "exit 1"))
    assert mtui.run("--no-ui", "-o", "out", "bad.yaml", cwd=folder).returncode == 2
    done = mtui.run("retry", "out", *words.split(), cwd=folder)
    assert (done.returncode, done.stdout, told in done.stderr) == (2, "", True)
    assert list((folder / "out" / ".mtui" / "inbox" / "new").iterdir()) == []


def test_resources_mean_nothing_to_a_local_step(folder: Path) -> None:
    (folder / "bad.yaml").write_text(HELLO.replace("echo hello", "exit 1"))
    assert mtui.run("--no-ui", "-o", "out", "bad.yaml", cwd=folder).returncode == 2
    assert mtui.run("retry", "out", "--set", "cores-per-task=2", cwd=folder).returncode == 0
    assert mtui.run("--no-ui", "out", cwd=folder).returncode == 2
    again = mtui.instance(folder / "out", "a")
    assert (again["attempt"], again["changes"]) == (2, {})


def test_studies_that_were_started_or_opened_are_known_and_others_not(folder: Path) -> None:
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}

    def known() -> list[str]:
        return sorted(path.read_text() for path in (folder / "state").rglob("studies/*"))

    assert mtui.run("--dry", "-o", "out", "hello.yaml", cwd=folder, env=env).returncode == 0
    assert known() == [str(folder / "out")]
    (folder / "out").rename(folder / "moved")
    for words in ("plan hello.yaml", "status moved", "why moved a", "hold moved"):
        assert mtui.run(*words.split(), cwd=folder, env=env).returncode == 0
    assert known() == [str(folder / "out")]
    assert mtui.run("release", "moved", cwd=folder, env=env).returncode == 0
    assert mtui.run("--no-ui", "moved", cwd=folder, env=env).returncode == 0
    assert known() == [str(folder / "moved"), str(folder / "out")]
    assert mtui.run("-o", "adir", "hello.yaml", cwd=folder, env=env).returncode == 2
    assert len(known()) == 2


def test_reader_that_goes_away_stops_nothing(folder: Path) -> None:
    command = f"{' '.join(mtui.COMMAND)} --no-ui -o out hello.yaml | head -n 1"
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
    assert mtui.statuses(folder / "out") == {"a": "finished"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_full_disk_stops_the_driver_and_loses_nothing(folder: Path) -> None:
    rows = ", ".join(map(str, range(15)))
    (folder / "full.yaml").write_text(
        "description: {name: full, description: d}\nstudy:\n"
        f'- {{name: x, description: d, run: {{cmd: "echo $(I) >> {folder}/trace; head -c 10000 /dev/zero"}}}}\n'
        '- {name: y, description: d, run: {cmd: "true", depends: ["x_*"]}}\n'
        f"global.parameters: {{I: {{values: [{rows}], label: I.%%}}}}\n"
    )
    small = folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260k", "tmpfs", str(small)], check=True)
    try:
        first = mtui.run("--no-ui", "-o", small / "out", "full.yaml", cwd=folder)
        assert (first.returncode, "No space left" in first.stderr) == (1, True)
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        second = mtui.run("--no-ui", small / "out", cwd=folder)
        ran = (folder / "trace").read_text().split()
        assert len(ran) == len(set(ran))
        # A step that could not report its end counts as failed and says so; every other one finished.
        unknown = [item for item in mtui.status(small / "out")["instances"] if item["status"] == "failed"]
        assert all("without a report" in item["cause"] or item["exit_code"] for item in unknown)
        assert {f"x_I.{row}" for row in set(rows.split(", ")) - set(ran)} <= {item["name"] for item in unknown}
        assert second.returncode == (2 if unknown else 0)
    finally:
        subprocess.run(["umount", str(small)], check=True)
