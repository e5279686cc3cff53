"""Wrong input and odd places: one clear message each, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests import mtui
from tests.waiting import wait_until

HELLO = "description: {name: t, description: d}\nstudy:\n- {name: a, description: d, run: {cmd: echo hello}}\n"
FILES = {
    "empty.yaml": b"",
    "tab.yaml": b"description:\n\tname: x\n",
    "binary.yaml": bytes(range(128, 256)),
    "nocmd.yaml": HELLO.replace("cmd: echo hello", "procs: 1").encode(),
    "circle.yaml": HELLO.replace("cmd: echo hello", "cmd: x, depends: [a]").encode(),
    "escape.yaml": HELLO.replace("cmd: echo hello", 'cmd: x, "\\e]0;T\\a\\e[2J": 1').encode(),
    "hello.yaml": HELLO.encode(),
    "slurm.yaml": b"batch: {type: slurm, host: h, bank: b, queue: q}\n"
    + HELLO.replace("hello", "x, procs: 1").encode(),
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
    ("words", "reported"),
    [
        ("missing.yaml", "missing.yaml: no such file"),
        ("--no-ui empty.yaml", "the file is empty"),
        ("tab.yaml", "tab.yaml:2:1: YAML syntax"),
        ("binary.yaml", "not UTF-8 text"),
        ("nocmd.yaml", "step 'a' has no 'cmd'"),
        ("plan circle.yaml", "depends on itself"),
        ("cancel", "mtui: the following arguments are required: DIR\n"),
        ("plan -o a%4jb slurm.yaml", "Slurm replaces '%4j' in the names of output files"),
        ("--no-ui -o a\\jb slurm.yaml", "Slurm replaces '\\' in the names of output files"),
        ("plan escape.yaml", "unknown key"),
        ("adir", "adir is not a study directory"),
        ("plan adir", "this is a directory"),
        ("-o adir hello.yaml", "already exists"),
        ("-o /proc/nothing/here hello.yaml", "cannot create"),
        ("status nowhere", "no such directory: nowhere"),
        ("statsu adir", "did you mean 'status'?"),
        ("plan hello.yaml --pargs A:1", "--pgen"),
        ("plan hello.yaml -p nosuch.py", "no such parameter generator file"),
        ("-t many hello.yaml", "'many' is not an integer"),
        ("--bogus hello.yaml", "unrecognized arguments"),
        ("run -f -g hello.yaml", "unrecognized arguments: -g"),
        ("run -y -n hello.yaml", "not allowed with"),
        ("run -a 0 hello.yaml", "'0' is not an integer of 1 or more"),
        ("run -r -1 hello.yaml", "-r/--rlimit"),
        ("-d 1 statsu adir", "did you mean 'status'?"),
        ("-d loud hello.yaml", "invalid int value: 'loud'"),
        ("-n nocmd.yaml", "step 'a' has no 'cmd'"),
        ("run -n lacks.yaml", "dependency 'DATA' does not exist"),
        ("-fg lost.yaml", "nothing replaces the '$'"),
    ],
)
def test_wrong_input_is_reported_in_one_message_and_leaves_nothing(folder: Path, words: str, reported: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    done = mtui.run(*words.split(), cwd=folder)
    assert done.returncode == 2
    assert reported in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cancel DIR -y nope", "no instance or step named nope"),
        ("retry DIR --set walltime=1:00 nope", "no instance or step named nope"),
        ("done DIR a -m because nope", "no instance or step named nope"),
        ("retry DIR --unknown nope", "unrecognized arguments: --unknown"),
        ("extend DIR --params S=1 nope.yaml", "nope.yaml"),
        ("status DIR --json nope", "unrecognized arguments: nope"),
    ],
)
def test_arguments_of_a_verb_may_follow_its_options(folder: Path, words: str, message: str) -> None:
    assert mtui.run("--no-ui", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    done = mtui.run(*words.replace("DIR", "out").split(), cwd=folder)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


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
    assert (done.returncode, done.stdout) == (0, "t: 1 instance. Not started; nothing was created.\n")
    there = mtui.run("run", "-n", "-o", "adir", "hello.yaml", cwd=folder)
    assert (there.returncode, "adir already exists" in there.stdout) == (0, True)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_scripts_of_a_dry_run_in_a_temporary_directory_are_those_of_the_study(folder: Path) -> None:
    (folder / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(folder / "tmp")}
    (folder / "hello.yaml").write_text(HELLO.replace("echo hello", "cd $(WORKSPACE)"))
    reported = mtui.run("run", "--dry", "--usetmp", "-n", "-o", "out", "hello.yaml", cwd=folder, env=env).stdout
    (script,) = (folder / "tmp").rglob("*.sh")
    assert reported == f"1 script written in {script.parents[1]}; nothing was run\n"
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


def test_study_that_is_over_is_reported_without_a_new_driver(folder: Path) -> None:
    assert mtui.run("--no-ui", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    again = mtui.run("--no-ui", "out", cwd=folder)
    assert (again.returncode, "finished" in again.stdout) == (0, True)
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
    assert "Commands waiting for a driver: 1. Resume with: mtui " in mtui.run("status", "out", cwd=folder).stdout
    assert mtui.run("--no-ui", "out", cwd=folder).returncode == 2
    assert mtui.instance(folder / "out", "a")["attempt"] == 2


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        ("--set cores-per-task=2", "step 'a' runs on the driver's machine and requests no cores per task from Slurm"),
        ("--set nodes=none", "'nodes' must be an integer of at least 1, not 'none'"),
        ("--set walltime=1h", "use hours:minutes:seconds"),
        ("a --set waltime=10", "did you mean 'walltime'?"),
        ("--set nodes", "use --set nodes=VALUE"),
        ("--set nodes=2 --set =3", "it can change walltime"),
    ],
)
def test_change_that_cannot_be_made_is_reported_before_anything_is_sent(
    folder: Path, words: str, reported: str
) -> None:
    (folder / "bad.yaml").write_text(HELLO.replace("echo hello", "exit 1"))
    assert mtui.run("--no-ui", "-o", "out", "bad.yaml", cwd=folder).returncode == 2
    done = mtui.run("retry", "out", *words.split(), cwd=folder)
    assert (done.returncode, done.stdout, reported in done.stderr) == (2, "", True)
    assert list((folder / "out" / ".mtui" / "inbox" / "new").iterdir()) == []


def test_studies_that_were_started_or_opened_are_known_and_others_not(folder: Path) -> None:
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}

    def known() -> list[str]:
        return sorted(path.read_text() for path in (folder / "state").rglob("studies/*"))

    assert mtui.run("--no-ui", "-o", "begun", "hello.yaml", cwd=folder, env=env).returncode == 0
    assert known() == [str(folder / "begun")]
    assert mtui.run("--dry", "-o", "out", "hello.yaml", cwd=folder, env=env).returncode == 0
    (folder / "out").rename(folder / "moved")
    for words in ("plan hello.yaml", "status moved", "why moved a", "hold moved"):
        assert mtui.run(*words.split(), cwd=folder, env=env).returncode == 0
    assert known() == [str(folder / "begun")]
    assert mtui.run("release", "moved", cwd=folder, env=env).returncode == 0
    (folder / "out").symlink_to(folder / "moved")
    assert mtui.run("--no-ui", "-y", "moved", cwd=folder, env=env).returncode == 0
    assert known() == [str(folder / "begun"), str(folder / "moved")]
    assert mtui.run("-o", "adir", "hello.yaml", cwd=folder, env=env).returncode == 2
    assert len(known()) == 2


def test_failure_with_its_reason_on_stdout_is_reported_with_it(folder: Path) -> None:
    (folder / "so.yaml").write_text(HELLO.replace("echo hello", "echo Fatal-no-room; exit 4"))
    done = mtui.run("--no-ui", "-o", "out", "so.yaml", cwd=folder)
    reported = [done, mtui.run("status", "out", cwd=folder), mtui.run("why", "out", "a", cwd=folder)]
    assert [one.stdout.count("Fatal-no-room") for one in reported] == [1, 1, 1]
    assert all("a.out" in one.stdout for one in reported)
    why = json.loads(mtui.run("why", "out", "a", "--json", cwd=folder).stdout)
    assert (why["stdout"], why["stderr"]) == (["Fatal-no-room"], [])
    assert "Fatal-no-room" in mtui.run("report", "out", "-o", "-", "--format", "md", cwd=folder).stdout


def test_output_of_an_earlier_attempt_is_shown(folder: Path) -> None:
    (folder / "again.yaml").write_text(HELLO.replace("echo hello", "date +%N >> n; wc -l < n; wc -l < n >&2; exit 1"))
    assert mtui.run("--no-ui", "-o", "out", "again.yaml", cwd=folder).returncode == 2
    assert mtui.run("retry", "out", cwd=folder).returncode == 0
    assert mtui.run("--no-ui", "out", cwd=folder).returncode == 2
    shown = [mtui.run("log", "out", "a", *words, cwd=folder).stdout.strip() for words in (
        [], ["--attempt", "1"], ["--attempt", "2"], ["--stderr", "--attempt", "1"])]  # fmt: skip
    assert shown == ["2", "1", "2", "1"]
    for words, reported in (
        (["--attempt", "3"], "a has no attempt 3\n  hint: its attempts: 1 to 2"),
        (["--attempt", "0"], "a has no attempt 0"),
        (["--attempt", "1", "--script"], "--attempt is for output"),
        (["--attempt", "x"], "hint: see 'mtui log --help'"),
    ):
        done = mtui.run("log", "out", "a", *words, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert reported in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_study_of_another_user_is_no_bug() -> None:
    # Not below pytest's folder: any other pytest that starts closes that to other users.
    with tempfile.TemporaryDirectory() as name:
        _look_as_another_user(Path(name))


def _look_as_another_user(folder: Path) -> None:
    (folder / "hello.yaml").write_bytes(FILES["hello.yaml"])
    assert mtui.run("--no-ui", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    folder.chmod(0o755)

    def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *mtui.COMMAND, *words]
        env = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)

    for words in ("status out", "why out a", "log out a", "report out", "retry out", "stop out", "--no-ui out"):
        done = as_nobody(*words.split())
        assert (done.returncode, done.stdout) == (2, ""), words
        reported, hint = done.stderr.splitlines()
        assert reported == f"mtui: no permission to read {folder}/out/.mtui"
        assert hint == "  hint: the study belongs to root; only that user can open it"
    for path in (folder / "out").rglob("*"):
        path.chmod(0o755)
    assert as_nobody("status", "out").returncode == 0
    assert mtui.run("rerun", "out", "a", cwd=folder).returncode == 0
    done = as_nobody("--no-ui", "out")
    assert done.returncode == 2
    assert (
        "the study belongs to root, and only that user can drive it\n  hint: you can watch it: mtui status"
        in done.stderr
    )


def test_output_that_nobody_takes_stops_nothing(folder: Path) -> None:
    def sh(redirected: str) -> subprocess.CompletedProcess[str]:
        command = f"{' '.join(mtui.COMMAND)} {redirected}"
        return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True)

    assert sh("--no-ui -o out hello.yaml >&- 2>&-").returncode == 0
    assert mtui.statuses(folder / "out") == {"a": "finished"}
    assert sh("status out >&-").returncode == 0
    full = sh("status out >/dev/full")
    assert (full.returncode, full.stderr) == (1, "mtui: its output cannot be written: No space left on device\n")


def test_characters_that_the_locale_lacks_stop_nothing(folder: Path) -> None:
    (folder / "ü.yaml").write_text(HELLO.replace("echo hello", "echo '✗ größer' >&2; exit 1"))
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for words in ("plan ü.yaml", "--no-ui -o out ü.yaml", "status out", "why out a"):
        command = [*mtui.COMMAND, *words.split()]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True)
        assert b"bug" not in done.stderr, done.stderr
        assert b"UnicodeEncodeError" not in done.stderr + done.stdout
    assert "? größer".encode("latin-1") in done.stdout


@pytest.mark.parametrize("verb", ["--no-ui", "extend --params X=1"])
def test_study_that_was_copied_or_moved_is_not_driven_where_it_is(folder: Path, verb: str) -> None:
    """Its scripts would write into the place where it was made."""
    assert mtui.run("--no-ui", "-o", "out", "hello.yaml", cwd=folder).returncode == 0
    assert mtui.run("rerun", "out", "a", cwd=folder).returncode == 0  # for whoever drives it
    shutil.copytree(folder / "out", folder / "copy", symlinks=True)
    words = verb.split()
    for command in ([words[0], "copy", *words[1:]], ["cancel", "copy", "-y"], ["rerun", "copy", "a"]):
        done = mtui.run(*command, cwd=folder)
        assert done.returncode == 2
        assert f"{folder}/copy is a copy of the study in {folder}/out" in done.stderr
    assert mtui.run("status", "copy", cwd=folder).returncode == 0
    shutil.rmtree(folder / "out")
    done = mtui.run(words[0], "copy", *words[1:], cwd=folder)
    assert done.returncode == 2
    assert f"the study was created in {folder}/out" in done.stderr
    link = done.stderr.partition("link the old name to it: ")[2]
    assert subprocess.run(["sh", "-c", link]).returncode == 0
    assert mtui.run("--no-ui", "copy", cwd=folder).returncode == 0
    assert mtui.status(folder / "copy")["instances"][0]["attempt"] == 2


def test_reader_that_goes_away_stops_nothing(folder: Path) -> None:
    command = f"{' '.join(mtui.COMMAND)} --no-ui -o out hello.yaml | head -n 1"
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
    assert mtui.statuses(folder / "out") == {"a": "finished"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_full_disk_delays_the_driver_and_loses_nothing(folder: Path) -> None:
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
        driver = mtui.Driver("-o", small / "out", folder / "full.yaml", log=folder / "log")
        wait_until(lambda: "No space left" in (folder / "log").read_text(), 60, "it reports the full disk")
        assert driver.process.poll() is None
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        code = driver.wait(120)
        ran = (folder / "trace").read_text().split()
        assert len(ran) == len(set(ran))
        # A step that could not report its end counts as failed and says so; every other one finished.
        unknown = [item for item in mtui.status(small / "out")["instances"] if item["status"] == "failed"]
        assert all("without a report" in item["cause"] or item["exit_code"] for item in unknown)
        assert {f"x_I.{row}" for row in set(rows.split(", ")) - set(ran)} <= {item["name"] for item in unknown}
        assert code == (2 if unknown else 0)
    finally:
        subprocess.run(["umount", str(small)], check=True)
