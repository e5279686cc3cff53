"""What verbs print with --json is what docs/json.md says, field by field, both ways; and its examples run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from mtui.core.backends.slurm_text import identity_of
from mtui.core.backends.usage import Usage
from mtui.core.engine import events as ev
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.state import StudyState
from mtui.core.store.study_directory import create_directory
from mtui.core.store.study_file import Settings, StudyFile
from mtui.tui.cli.parser import VERBS
from mtui.tui.report.content import report_of
from mtui.tui.report.report_json import report_as_json
from mtui.tui.views.reason import ReasonKind
from mtui.tui.views.status_view import status_json
from mtui.tui.views.why_text import why_json
from tests import mtui
from tests.plans import plan, step
from tests.unit.engine.script import apply, ended, intend, started, submitted
from tests.unit.tui.packed import asked, began, given, over, queued, returned, runs, taken

DOCUMENT = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
STUDY = """\
description: {name: sweep, description: d}
study:
- {name: sim, description: d, run: {cmd: "echo size $(SIZE); [ $(SIZE) != 20 ] || { echo too big >&2; exit 3; }"}}
- {name: post, description: d, run: {cmd: "echo $(SIZE)", restart: "echo again", depends: [sim]}}
global.parameters: {SIZE: {values: [10, 20, 30], label: SIZE.%%}}
"""


def section(title: str) -> str:
    """The text below a heading of the document, up to the next one."""
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def tables(title: str) -> dict[str, list[list[str]]]:
    """The tables of a section by the head of their first column: rows of cells."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in section(title).splitlines():
        if not line.startswith("|"):
            rows = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not rows:
            found[cells[0]] = rows
        rows.append(cells)
    return {head: table[2:] for head, table in found.items()}


def documented(title: str) -> dict[str, str]:
    """The type of each field of a section, by its path."""
    return {cells[0].strip("`"): cells[1] for cells in tables(title)["field"]}


# --- walking


def types_of(value: object) -> str:
    """The type of a value in the document's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case _:
            return "object"


def fits(value: Any, type_: str) -> bool:
    """Whether a value is of a type of the document."""
    words = type_.removesuffix(" or null")
    if words != type_ and value is None:
        return True
    singular = {"texts": "text", "integers": "integer"}
    if words == "list of objects":
        return isinstance(value, list) and all(isinstance(one, dict) for one in value)
    if words == "list of lists of texts":
        return isinstance(value, list) and all(fits(one, "list of texts") for one in value)
    if words.startswith("list of "):
        return isinstance(value, list) and all(fits(one, singular[words[8:]]) for one in value)
    if words.startswith("map of "):
        return isinstance(value, dict) and all(fits(one, singular[words[7:]]) for one in value.values())
    return types_of(value) == words or (words == "number" and types_of(value) == "integer")


def walk(record: Any, known: dict[str, str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a record by its path; what the document calls a list or a map is not gone into."""
    if path in known:
        yield path, record
    if path in known and known[path] != "object or null":
        return
    if isinstance(record, dict):
        for key, value in record.items():
            yield from walk(value, known, f"{path}.{key}".lstrip("."))
    elif isinstance(record, list):
        for value in record:
            yield from walk(value, known, f"{path}[]")
    elif path not in known:
        yield path, record


def check(title: str, *records: dict[str, Any]) -> None:
    """That these records have the fields of the section and no others, with values of their types."""
    known = documented(title)
    seen: set[str] = set()
    for record in records:
        assert record["version"] == 1
        for path, value in walk(record, known):
            assert path in known, f"{title} does not know {path}"
            assert fits(value, known[path]), f"{path} is {value!r}, not {known[path]}"
            seen.add(path)
    assert seen == set(known)


# --- the real commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of study.yaml, with a finished and a failed study of it in `fine` and `out`."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "study.yaml").write_text(STUDY)
    assert mtui.run("--no-ui", "-o", "out", "study.yaml", cwd=folder).returncode == 2
    assert mtui.run("--no-ui", "-o", "fine", "--params", "SIZE=10", "study.yaml", cwd=folder).returncode == 0
    return folder


def run_json(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """What a command prints with --json: one object in ASCII, nothing on stderr."""
    done = mtui.run(*words, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.isascii()
    return json.loads(done.stdout, parse_constant=pytest.fail)


def test_plan(folder: Path) -> None:
    check("mtui plan", run_json(folder, "plan", "study.yaml"))


def test_status(folder: Path, tmp_path: Path) -> None:
    state = StudyState(plan(step("a")))
    apply(state, asked(), queued(), began())
    packed = json.loads(json.dumps(status_json(create_directory(tmp_path / "packed", "", []), state)))
    check("mtui status", run_json(folder, "status", "out"), run_json(folder, "status", "fine"), packed)


def test_why(folder: Path) -> None:
    records = [run_json(folder, "why", "out", name) for name in ("sim_SIZE.10", "sim_SIZE.20", "post_SIZE.20")]
    check("mtui why", *records)
    assert [[reason["kind"] for reason in record["reasons"]] for record in records] == [
        [],
        ["failed"],
        ["failed_above"],
    ]
    assert records[1]["reasons"][0]["next"] == [["mtui", "retry", str(folder / "out"), "sim_SIZE.20"]]
    assert (records[1]["stderr"], records[1]["attempts"][0]["ended_as"]) == (["too big"], "failed")
    assert records[2]["reasons"][0]["instances"] == [{"name": "sim_SIZE.20", "status": "failed"}]


def kinds(records: list[dict[str, Any]]) -> list[list[str]]:
    """What the reasons of each record are about."""
    return [[reason["kind"] for reason in record["reasons"]] for record in records]


def test_log(folder: Path) -> None:
    records = [run_json(folder, "log", "out", name) for name in ("sim_SIZE.20", "post_SIZE.10", "post_SIZE.20")]
    check("mtui log", *records)
    first, second, third = records
    assert first["attempts"][0]["stdout"]["last_lines"] == ["size 20"]
    assert Path(first["attempts"][0]["stderr"]["path"]).read_text() == "too big\n"
    assert second["restart"]["size"] == Path(second["restart"]["path"]).stat().st_size
    assert (third["attempts"], third["script"]["size"]) == ([], None)


def test_log_finds_the_output_of_every_attempt(folder: Path) -> None:
    assert mtui.run("--no-ui", "-o", "twice", "study.yaml", cwd=folder).returncode == 2
    assert run_json(folder, "retry", "twice")["outcome"] == "waiting"
    assert mtui.run("--no-ui", "twice", cwd=folder).returncode == 2
    attempts = run_json(folder, "log", "twice", "sim_SIZE.20")["attempts"]
    assert [Path(one["stdout"]["path"]).name for one in attempts] == ["sim_SIZE.20.1.out", "sim_SIZE.20.out"]
    assert [one["stderr"]["last_lines"] for one in attempts] == [["too big"]] * 2


def test_report(folder: Path) -> None:
    study = StudyFile("id", 1.0, "study.yaml", Settings(), plan(step("a")))
    state = StudyState(study.plan)
    apply(state, intend("s", (0, 1)), submitted("s"), started(0), ended(0))
    attempt = state.attempts[0][0]
    attempt.submitted_at, attempt.started_at, attempt.ended_at = 1.0, 2.0, 3.0
    usage = {identity_of("id", attempt): Usage(3000, 3600, 2, 1, 5000.0, 100.0, 1000.0)}
    attempt.cause = Cause(CauseCode.OUT_OF_MEMORY, node="n1")  # a warning, since it finished
    report = report_as_json(report_of(study, state, "/out", 9.0, lambda _: ("/out/a.err", ["Killed"]), usage))
    check(
        "mtui report", run_json(folder, "report", "out"), run_json(folder, "report", "fine"), {"version": 1, **report}
    )


def test_studies(folder: Path) -> None:
    record = run_json(folder, "studies")
    check("mtui studies", record)
    known = {one["directory"]: one for one in record["studies"]}
    assert known[str(folder / "fine")]["result"] == "finished"
    assert known[str(folder / "out")]["counts"] == {"finished": 4, "failed": 2}


def test_doctor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))  # no Slurm, whatever this machine has
    record = run_json(folder, "doctor")
    check("mtui doctor", record)
    assert {one["level"] for one in record["findings"]} == {"ok", "note"}


def test_commands(folder: Path) -> None:
    mtui.copied(folder / "out", folder / "copy")
    refused = run_json(folder, "retry", "copy", "sim_SIZE.10", code=1)
    waiting = run_json(folder, "rerun", "copy", "sim")
    cancelled = run_json(folder, "cancel", "copy", "post", "-y")
    check("Commands", refused, waiting, cancelled)
    assert [one["outcome"] for one in (refused, waiting, cancelled)] == ["refused", "waiting", "done"]
    assert (waiting["counts"], waiting["instances"]) == ({"matched": 3, "changed": 0}, [])
    assert (cancelled["counts"], cancelled["instances"]) == (
        {"matched": 3, "changed": 3},
        ["post_SIZE.10", "post_SIZE.20", "post_SIZE.30"],
    )
    for verb in (["hold"], ["release"], ["done", "sim"], ["skip", "sim"], ["update", "-t", "1"]):
        check("Commands", {**run_json(folder, verb[0], "copy", *verb[1:]), "targets": ["x"]})
    assert {row[0].strip("`") for row in tables("Commands")["outcome"]} == {
        "done", "waiting", "refused", "unseen", "seen", "declined"
    }  # fmt: skip


def test_commands_to_a_driver_report_what_they_changed(tmp_path: Path) -> None:
    go = tmp_path / "go"
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        f"- {{name: a, description: d, run: {{cmd: 'while [ ! -e {go} ]; do sleep 0.05; done'}}}}\n"
        "- {name: b, description: d, run: {cmd: 'true', depends: [a]}}",
    )
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    driver.wait_for("submitted")
    held = run_json(tmp_path, "hold", "out")
    assert (held["outcome"], held["counts"], held["instances"]) == ("done", {"matched": 2, "changed": 1}, ["b"])
    assert kinds([run_json(tmp_path, "why", "out", name) for name in "ab"]) == [["running"], ["held", "parents"]]
    assert run_json(tmp_path, "release", "out", "a", code=1)["message"] == "1 running and not held"
    assert run_json(tmp_path, "stop", "out")["outcome"] == "done"
    assert driver.wait() == 0
    go.touch()


# --- events


def test_events(folder: Path) -> None:
    types = {row[0].strip("`"): re.findall(r"`([^`]+)`", row[1]) for row in tables("Events")["type"]}
    common = {"at"}
    assert types == {
        kind: [
            name
            for field in fields(event)
            if field.name not in common
            for name in (
                field.name + ("" if field.default is MISSING else "?"),
                *(("cause_code?", "cause_fields?") if field.name == "cause" else ()),
            )
        ]
        for kind, event in ev.TYPES.items()
    }
    done = mtui.run("--no-ui", "--json", "-o", "events", "study.yaml", cwd=folder)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr, lines[-1]["type"]) == (2, "", "driver_stopped")
    (failed,) = (line for line in lines if line["type"] == "ended" and line["status"] == "failed")
    assert (failed["cause"], failed["cause_code"]) == (f"exit code 3 on {socket.gethostname()}", "exit_code")
    for line in lines:
        own = {name.removesuffix("?") for name in types[line["type"]]}
        extra = {"name"} if "instance" in own else set[str]()
        assert set(line) - {"v", "type", "at", "counts"} - extra <= own
        assert {name for name in types[line["type"]] if not name.endswith("?")} | extra <= set(line)


# --- what the document lists


def test_kinds_of_reasons() -> None:
    assert [row[0].strip("`") for row in tables("mtui why")["kind"]] == [kind.value for kind in ReasonKind]


def test_exit_codes_are_documented_for_every_verb() -> None:
    verbs = [verb for row in tables("Exit codes")["verb"] for verb in re.findall(r"`(\w+)`", row[0])]
    assert sorted(verbs) == sorted(VERBS)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("plan nosuch.yaml", 2),
        ("status nosuch", 2),
        ("why out nosuch", 2),
        ("log out nosuch", 2),
        ("log out sim_SIZE.10 -f", 2),
        ("log out sim_SIZE.10 --stderr", 2),
        ("retry out nosuch", 2),
        ("update out", 2),
        ("stop out", 2),
    ],
)
def test_errors_are_text_on_stderr(folder: Path, words: str, code: int) -> None:
    done = mtui.run(*words.split(), "--json", cwd=folder)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr


@pytest.mark.parametrize("example", re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL))
def test_examples_run(folder: Path, tmp_path: Path, example: str) -> None:
    if not shutil.which("jq"):
        pytest.skip("there is no jq")
    shutil.copytree(folder, tmp_path / "here", symlinks=True)
    done = shell(tmp_path / "here", example)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout or "timed out" in example


def test_python_example_runs(folder: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    assert shell(folder, f"{sys.executable} {tmp_path}/example.py").stdout == "['sim_SIZE.20']\n"


def shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script of bash in which `mtui` is the command of this checkout."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-uc", script], cwd=folder, env=env, capture_output=True, text=True, check=False)


# --- odd names


def test_a_path_that_is_not_utf_8_comes_through(tmp_path: Path) -> None:
    name = b"caf\xe9 \x1b[2J"
    here = tmp_path / os.fsdecode(name)
    here.mkdir()
    (here / "study.yaml").write_text(STUDY)
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    for words, code in ((("--dry", "-o", "out"), 0), (("--no-ui", "-o", "ran"), 2)):
        command = [sys.executable, "-m", "mtui.tui", *words, "study.yaml"]
        assert subprocess.run(command, cwd=here, stdout=subprocess.DEVNULL, check=False).returncode == code
    for verb in ("plan study.yaml", "status out", "why out sim_SIZE.10", "log out sim_SIZE.10", "studies", "hold out"):
        done = mtui.run(*verb.split(), "--json", cwd=here, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        assert name in b"".join(os.fsencode(text) for text in texts(json.loads(done.stdout)))


def texts(record: Any) -> Iterator[str]:
    """Every text in a record."""
    if isinstance(record, str):
        yield record
    elif isinstance(record, dict | list):
        for value in record.values() if isinstance(record, dict) else record:
            yield from texts(value)


def test_attempts_that_an_allocation_gave_back_say_so(tmp_path: Path) -> None:
    state = StudyState(plan(step("a")))
    apply(state, asked(), queued(), began(), given("g", (0, 1)), taken("g"), runs(0), returned((0, 1)), over())
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), state.plan)
    record: dict[str, Any] = why_json(create_directory(tmp_path / "out", "", []), study, state, 0)
    assert (record["attempts"][0]["ended_as"], record["attempts"][0]["backend"]) == ("returned", "pack")
