"""The list of the user's studies, and the status of each."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.core.store import recent_studies as module
from mtui.core.store.journal import Journal
from mtui.core.store.lease import Lease, LeaseState
from mtui.core.store.recent_studies import list_recent_studies, remember_study, summarize_study
from mtui.core.store.status_csv import write_status
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from tests.plans import plan, step
from tests.unit.engine.script import hold, run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of remembered studies."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mtui" / "studies"


def made(root: Path, made_plan: Plan | None = None, spec: str = "s.yaml") -> StudyDirectory:
    directory = create_directory(root, "", [])
    study = StudyFile("0a1b2c3d", 1.0, spec, Settings(), made_plan or plan(step("a"), out=str(root)))
    write_study_file(directory.study_file, study)
    return directory


def visit(root: Path, at: float) -> None:
    """Remember a study as if it had been visited at that time."""
    before = set(entries())
    remember_study(root)
    for entry in set(entries()) - before:
        os.utime(entry, (at, at))


def entries() -> list[Path]:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "mtui" / "studies"
    return sorted(folder.iterdir()) if folder.exists() else []


# --- remembering


def test_studies_are_known_the_last_visited_first(tmp_path: Path) -> None:
    assert list_recent_studies() == []
    for number, name in enumerate(("b", "c", "a")):
        visit(made(tmp_path / name).root, 1000 + number)
    assert list_recent_studies() == [tmp_path / "a", tmp_path / "c", tmp_path / "b"]
    remember_study(tmp_path / "b")
    assert list_recent_studies() == [tmp_path / "b", tmp_path / "a", tmp_path / "c"]
    assert len(entries()) == 3


@pytest.mark.parametrize("name", ["two words", "ä\n\x1b", "\udcff", "x" * 200])
def test_any_name_is_remembered(tmp_path: Path, name: str) -> None:
    made(tmp_path / name)
    remember_study(tmp_path / name)
    assert list_recent_studies() == [tmp_path / name]


def test_study_is_the_same_from_wherever_it_was_visited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = made(tmp_path / "out").root
    remember_study(root)
    monkeypatch.chdir(tmp_path)
    remember_study(Path("out"))
    monkeypatch.chdir(root / ".mtui")
    remember_study(Path(".."))
    assert list_recent_studies() == [root]
    assert len(entries()) == 1


def test_study_that_was_deleted_is_forgotten(tmp_path: Path) -> None:
    for name in ("a", "b"):
        remember_study(made(tmp_path / name).root)
    shutil.rmtree(tmp_path / "a")
    assert list_recent_studies() == [tmp_path / "b"]
    assert len(entries()) == 1


def test_study_whose_file_system_is_away_is_not_shown_and_not_forgotten(tmp_path: Path) -> None:
    root = made(tmp_path / "scratch" / "out").root
    remember_study(root)
    (tmp_path / "scratch").rename(tmp_path / "away")
    assert list_recent_studies() == []
    (tmp_path / "away").rename(tmp_path / "scratch")
    assert list_recent_studies() == [root]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_study_that_cannot_be_looked_at_is_not_forgotten(tmp_path: Path) -> None:
    root = made(tmp_path / "closed" / "out").root
    remember_study(root)
    (tmp_path / "closed").chmod(0)
    assert list_recent_studies() == []
    (tmp_path / "closed").chmod(0o700)
    assert list_recent_studies() == [root]


def test_directory_that_is_no_study_is_not_shown(tmp_path: Path) -> None:
    remember_study(tmp_path)
    assert list_recent_studies() == []


def test_no_more_are_kept_than_a_list_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    for number in range(6):
        visit(made(tmp_path / str(number)).root, 1000 + number)
    assert list_recent_studies() == [tmp_path / "5", tmp_path / "4", tmp_path / "3"]
    assert len(entries()) == 3


@pytest.mark.parametrize("content", [b"", b"relative", b"\0", b"/nowhere/at/all", b"\xff"])
def test_entry_that_makes_no_sense_is_passed_over(tmp_path: Path, home: Path, content: bytes) -> None:
    root = made(tmp_path / "out").root
    remember_study(root)
    (home / ("0" * 32)).write_bytes(content)
    (home / ("1" * 32)).mkdir()
    (home / "README").write_text("not ours")
    assert list_recent_studies() == [root]


@pytest.mark.parametrize("place", ["file", "/dev/null", "/proc"])
def test_what_cannot_be_remembered_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / place))
    remember_study(tmp_path)
    remember_study(Path("\0"))
    assert list_recent_studies() == []


def test_without_xdg_it_is_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        remember_study(made(tmp_path / f"out{value[:1]}").root)
    assert len(list((tmp_path / ".local" / "state" / "mtui" / "studies").iterdir())) == 2
    assert len(list_recent_studies()) == 2


# --- a glance


def write(directory: StudyDirectory, epoch: int, *events: ev.Event) -> None:
    journal = Journal(directory.journal, epoch)
    for event in events:
        journal.append(event)
    journal.close()


START = ev.DriverStarted(at=1.0, epoch=1, host="h", pid=1, version="0")
END = (ev.StudyEnded(at=2.0, result="failed"), ev.DriverStopped(at=2.0, reason="the study is failed"))


def test_glance_counts_by_status(tmp_path: Path) -> None:
    sweep = plan(step("a", uses="X"), step("b", "a"), rows={"X": range(6)}, out=str(tmp_path / "out"))
    directory = made(tmp_path / "out", sweep)
    state = StudyState(sweep)
    for index, end in enumerate((Status.FINISHED, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)):
        run(state, index, end)
    state.apply(ev.SubmitIntended(at=1.0, submission="s", backend="slurm", members=((4, 1),)))
    state.apply(hold(5))
    write_status(directory.status_csv, state, 9.0)
    seen = summarize_study(directory.root)
    blocked = 3  # Maestro's table calls them failed
    assert seen.counts == {
        "waiting": 4,
        "pending": 1,
        "finished": 1,
        "failed": 1 + blocked,
        "timed out": 1,
        "cancelled": 1,
    }
    assert (seen.name, seen.result, seen.driver, seen.standing) == ("test", "", None, None)
    assert seen.last_change == pytest.approx(time.time(), abs=60)


def test_glance_sees_the_table_change(tmp_path: Path) -> None:
    one = plan(step("a"), out=str(tmp_path / "out"))
    directory = made(tmp_path / "out", one)
    state = StudyState(one)
    assert summarize_study(directory.root).counts is None
    write_status(directory.status_csv, state, 9.0)
    first = summarize_study(directory.root).counts
    assert first is not None
    assert first == {"waiting": 1}
    first["waiting"] = 77
    assert summarize_study(directory.root).counts == {"waiting": 1}
    run(state, 0)
    write_status(directory.status_csv, state, 9.0)
    assert summarize_study(directory.root).counts == {"finished": 1}


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (b"", None),
        (b"hello\n", None),
        (b"Step Name,Job ID,Workspace,State\n", {}),
        (b"Step Name,Job ID,Workspace,State\na,1,a,DANCING\n", None),
        (b"Step Name,Job ID,Workspace,State\na,1\n", None),
        (b"Step Name,Job ID,Workspace,State\na,1,\xff,FINISHED\n", {"finished": 1}),
        (b'Step Name,Job ID,Workspace,State\n"a\nb,""",1,a,FINISHED\n', {"finished": 1}),
        (b"Step Name,Job ID,Workspace,State\n" + b"x" * 200_000 + b",1,a,FINISHED\n", None),
        (b"\0\xff\n", None),
    ],
)
def test_table_that_is_damaged_counts_nothing(tmp_path: Path, data: bytes, counts: dict[str, int] | None) -> None:
    directory = made(tmp_path / "out")
    directory.status_csv.write_bytes(data)
    assert summarize_study(directory.root).counts == counts


def test_table_beyond_all_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    directory = made(tmp_path / "out")
    write_status(directory.status_csv, StudyState(plan(step("a"))), 1.0)
    assert summarize_study(directory.root).counts is None


@pytest.mark.parametrize(
    ("segments", "result"),
    [
        ([], ""),
        ([[]], ""),
        ([[START]], ""),
        ([[START, *END]], "failed"),
        ([[START, *END], [START]], ""),
        ([[START, *END], [START, *END]], "failed"),
        ([[*(ev.Anomaly(at=1.0, message="x" * 500) for _ in range(50)), *END]], "failed"),
        ([[START, ev.Anomaly(at=1.0, message='{"type":"study_ended","result":"finished"}')]], ""),
    ],
)
def test_glance_knows_whether_a_study_is_over(tmp_path: Path, segments: list[list[ev.Event]], result: str) -> None:
    directory = made(tmp_path / "out")
    for epoch, events in enumerate(segments, 1):
        write(directory, epoch, *events)
    assert summarize_study(directory.root).result == result


def test_torn_journal_is_read_up_to_the_tear(tmp_path: Path) -> None:
    directory = made(tmp_path / "out")
    write(directory, 1, START, *END)
    path = directory.journal / "000001.jsonl"
    path.write_bytes(path.read_bytes() + b'{"v":1,"type":"driver_sta')
    os.utime(path, (5000, 5000))
    seen = summarize_study(directory.root)
    assert (seen.result, seen.last_change) == ("failed", 5000)


def test_summary_shows_who_drives(tmp_path: Path) -> None:
    directory = made(tmp_path / "out")
    lease = Lease.acquire(directory.owner)
    seen = summarize_study(directory.root)
    assert seen.driver
    assert (seen.driver.pid, seen.driver.host, seen.standing) == (os.getpid(), socket.gethostname(), LeaseState.ALIVE)
    lease.release()
    assert summarize_study(directory.root).standing is LeaseState.RELEASED
    (directory.owner / "000002").write_text("[]")
    assert (summarize_study(directory.root).driver, summarize_study(directory.root).standing) == (None, None)


@pytest.mark.parametrize("name", ["a study", 'say "x", \\ä\n', '","name":"no"', "中\x1b[2J"])
def test_summary_shows_the_name(tmp_path: Path, name: str) -> None:
    from dataclasses import replace

    directory = made(tmp_path / "out", replace(plan(step("a")), name=name), spec='x","name":"no",\\')
    assert summarize_study(directory.root).name == name


@pytest.mark.parametrize("data", [b"", b"{}", b'{"v":1,"name":"\xff"}', b'{"v":1,"name":"\\x"}', None])
def test_without_a_name_the_directory_gives_it(tmp_path: Path, data: bytes | None) -> None:
    directory = made(tmp_path / "out")
    directory.study_file.unlink()
    if data is not None:
        directory.study_file.write_bytes(data)
    assert summarize_study(directory.root).name == "out"


def test_glance_at_nothing_is_no_error(tmp_path: Path) -> None:
    seen = summarize_study(tmp_path / "gone")
    assert (seen.name, seen.counts, seen.result, seen.driver, seen.standing, seen.last_change) == (
        "gone", None, "", None, None, 0.0,
    )  # fmt: skip


def test_glance_at_a_large_study_is_quick(tmp_path: Path) -> None:
    sweep = plan(step("a", uses="X"), rows={"X": range(100_000)}, out=str(tmp_path / "out"))
    directory = made(tmp_path / "out", sweep)
    write_status(directory.status_csv, StudyState(sweep), 1.0)
    begun = time.process_time()
    assert summarize_study(directory.root).counts == {"waiting": 100_000}
    first, begun = time.process_time() - begun, time.process_time()
    for _ in range(10):
        summarize_study(directory.root)
    assert first < 2  # seconds; it takes about 0.1
    assert time.process_time() - begun < first
