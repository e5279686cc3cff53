"""The lease: one driver at a time, and the next one as soon as that one is certainly gone."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest

from mtui.core.errors import StudyBusyError, StudyDirectoryError
from mtui.core.store import lease as module
from mtui.core.store.lease import Lease, LeaseState, Liveness
from mtui.core.store.lease_owner import (
    Owner,
    boot_id,
    process_start,
    read_current_owner,
    read_owner,
    this_host,
    torn_owners,
)
from tests.waiting import wait_until

HERE = Owner(1, this_host(), boot_id(), os.getpid(), process_start(os.getpid()), time.time())
ELSEWHERE = replace(HERE, host="elsewhere", boot="another boot")


def put(folder: Path, owner: Owner, beat: str = "1\n") -> Owner:
    """An owner as it left its file and its last heartbeat."""
    (folder / f"{owner.epoch:06d}").write_text(json.dumps(asdict(owner)))
    (folder / f"{owner.epoch:06d}.beat").write_text(beat)
    return owner


def ended_process() -> tuple[int, str]:
    """The process id and the start time of a process that was here."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    start = process_start(process.pid)
    process.communicate()
    return process.pid, start


@contextmanager
def beating(folder: Path, owner: Owner) -> Iterator[None]:
    """The owner's heartbeat moves, as if it lived on its other host."""
    end = threading.Event()

    def beat() -> None:
        count = 0
        while not end.wait(0.02):
            count += 1
            temporary = folder / "beat.tmp"
            temporary.write_text(str(count))
            temporary.replace(folder / f"{owner.epoch:06d}.beat")

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    end.set()
    thread.join()


# --- taking


def test_first_driver_takes_epoch_1_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    assert (lease.owner.epoch, lease.owner.pid, lease.owner.host) == (1, os.getpid(), this_host())
    assert lease.before is None
    assert read_current_owner(tmp_path) == lease.owner
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001", "000001.beat"]


def test_second_driver_is_refused_and_told_who_holds_the_study(tmp_path: Path) -> None:
    owner = Lease.acquire(tmp_path).owner
    with pytest.raises(StudyBusyError) as caught:
        Lease.acquire(tmp_path)
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    assert f"process {os.getpid()} on {this_host()} since {since}" in caught.value.message
    assert caught.value.hint


def test_owner_inside_of_a_slurm_job_is_named_with_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    Lease.acquire(tmp_path)
    with pytest.raises(StudyBusyError, match=r"\(Slurm job 4711\)"):
        Lease.acquire(tmp_path)


def test_driver_that_let_go_is_followed_at_once(tmp_path: Path) -> None:
    first = Lease.acquire(tmp_path)
    first.release()
    second = Lease.acquire(tmp_path, silent_after=60)
    assert (second.owner.epoch, second.before) == (2, first.owner)


def test_owner_on_another_host_that_let_go_is_followed_at_once(tmp_path: Path) -> None:
    put(tmp_path, ELSEWHERE)
    (tmp_path / "000001.released").touch()
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_dead_process_of_this_host_is_followed_at_once(tmp_path: Path) -> None:
    pid, start = ended_process()
    put(tmp_path, replace(HERE, pid=pid, start=start))
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_process_id_that_was_used_again_is_not_taken_for_the_owner(tmp_path: Path) -> None:
    put(tmp_path, replace(HERE, start="1"))
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_suspended_driver_is_alive_and_named_as_such(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "600"])
    try:
        owner = put(tmp_path, replace(HERE, pid=process.pid, start=process_start(process.pid)))
        assert Liveness(tmp_path, owner).words == owner.words
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        liveness = Liveness(tmp_path, owner)
        assert liveness.judge() is LeaseState.ALIVE
        assert liveness.words == f"{owner.words}, which is suspended: fg, or kill -CONT {process.pid}"
        elsewhere = put(tmp_path, replace(owner, host="elsewhere"))
        assert Liveness(tmp_path, elsewhere).words == elsewhere.words
    finally:
        process.kill()
        process.wait()


def test_zombie_counts_as_dead(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    put(tmp_path, replace(HERE, pid=process.pid, start=process_start(os.getpid())))
    assert process_start(process.pid) == ""
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2
    process.wait()


def test_owner_from_before_a_reboot_is_followed_at_once(tmp_path: Path) -> None:
    put(tmp_path, replace(HERE, boot="an earlier one"))
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_owner_on_another_host_is_refused_while_its_heartbeat_moves(tmp_path: Path) -> None:
    owner = put(tmp_path, ELSEWHERE)
    with beating(tmp_path, owner), pytest.raises(StudyBusyError, match="on elsewhere"):
        Lease.acquire(tmp_path, silent_after=60)


@pytest.mark.parametrize("beat", ["7\n", ""])
def test_owner_on_another_host_is_followed_after_it_was_silent_long_enough(tmp_path: Path, beat: str) -> None:
    put(tmp_path, ELSEWHERE, beat)
    begin = time.monotonic()
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2
    assert time.monotonic() - begin >= 0.3


def test_owner_on_another_host_without_a_heartbeat_file_is_given_the_same_time(tmp_path: Path) -> None:
    put(tmp_path, ELSEWHERE)
    (tmp_path / "000001.beat").unlink()
    begin = time.monotonic()
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2
    assert time.monotonic() - begin >= 0.3


@pytest.mark.parametrize(("ended", "standing"), [(True, LeaseState.DEAD), (False, LeaseState.UNKNOWN)])
def test_owner_whose_slurm_job_has_ended_is_gone(tmp_path: Path, ended: bool, standing: LeaseState) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, slurm_job="12"))
    asked: list[str] = []

    def job_ended(owner: Owner) -> bool:
        asked.append(owner.slurm_job)
        return ended

    liveness = Liveness(tmp_path, owner, job_ended=job_ended)
    assert liveness.judge() is standing
    assert asked == ["12"]


def test_owner_in_a_slurm_job_is_judged_by_its_heartbeat_where_slurm_cannot_be_asked(tmp_path: Path) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, slurm_job="12"))

    liveness = Liveness(tmp_path, owner)

    assert liveness.judge() is LeaseState.UNKNOWN


@pytest.mark.parametrize(("slurm_job", "expected"), [("12", ["12"]), ("", [])], ids=["in a job", "without a job"])
def test_slurm_is_asked_for_the_owners_job_and_not_at_every_look(
    tmp_path: Path, slurm_job: str, expected: list[str]
) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, slurm_job=slurm_job))
    asked: list[str] = []

    def job_ended(owner: Owner) -> bool:
        asked.append(owner.slurm_job)
        return False

    liveness = Liveness(tmp_path, owner, job_ended=job_ended)
    liveness.judge()
    liveness.judge()

    assert asked == expected


def test_old_heartbeat_of_another_host_tells_readers_and_decides_nothing(tmp_path: Path) -> None:
    owner = put(tmp_path, ELSEWHERE)
    beat = tmp_path / "000001.beat"
    os.utime(beat, (time.time() - 600, time.time() - 600))
    liveness = Liveness(tmp_path, owner, silent_after=60)
    assert liveness.judge() is LeaseState.SILENT
    assert 599 < liveness.last_sign_ago < 660
    with beating(tmp_path, owner), pytest.raises(StudyBusyError):  # its clock may be wrong by as much
        Lease.acquire(tmp_path, silent_after=60)
    beat.write_text("a later one\n")
    assert liveness.judge() is LeaseState.ALIVE
    os.utime(beat, (time.time() - 600, time.time() - 600))
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2


def test_age_of_an_owner_without_a_heartbeat_counts_from_its_begin(tmp_path: Path) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, since=time.time() - 300))
    (tmp_path / "000001.beat").unlink()
    assert Liveness(tmp_path, owner).judge() is LeaseState.SILENT


def test_owner_that_is_known_to_be_gone_is_followed_at_once_and_no_other_is(tmp_path: Path) -> None:
    gone = put(tmp_path, ELSEWHERE)
    assert Lease.acquire(tmp_path, gone=gone, silent_after=60).owner.epoch == 2
    with pytest.raises(StudyBusyError):
        Lease.acquire(tmp_path, gone=gone)


def test_clock_of_the_other_host_does_not_matter(tmp_path: Path) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, since=time.time() + 1e6))
    os.utime(tmp_path / "000001.beat", (1, 1))
    with beating(tmp_path, owner), pytest.raises(StudyBusyError):
        Lease.acquire(tmp_path, silent_after=60)


def race(folder: Path, ready: Barrier, over: Event, results: Any) -> None:
    ready.wait()
    try:
        lease = Lease.acquire(folder)
    except StudyBusyError:
        results.put(0)
    else:
        results.put(lease.owner.epoch)
        over.wait(60)


@pytest.mark.parametrize("left_by", ["nobody", "a dead process"])
def test_exactly_one_of_twenty_processes_gets_the_lease(tmp_path: Path, left_by: str) -> None:
    if left_by == "a dead process":
        put(tmp_path, replace(HERE, start="1"))
    fork = multiprocessing.get_context("fork")
    ready, over, results = fork.Barrier(20), fork.Event(), fork.Queue()
    processes = [fork.Process(target=race, args=(tmp_path, ready, over, results)) for _ in range(20)]
    for process in processes:
        process.start()
    epochs = sorted(results.get(timeout=60) for _ in processes)
    over.set()
    for process in processes:
        process.join()
    assert epochs == [0] * 19 + [1 if left_by == "nobody" else 2]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


# --- holding


def test_heartbeat_counts_up_when_it_is_due_and_not_before(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    now = time.monotonic()

    def beat(at: float) -> str:
        lease.beat(at)
        return (tmp_path / "000001.beat").read_text()

    assert [beat(now), beat(now + 60), beat(now + 61), beat(now + 120)] == ["1\n", "2\n", "2\n", "3\n"]


def test_heartbeat_moves_well_before_others_call_it_silent() -> None:
    assert module.BEAT_EVERY * 3 <= module.SILENT_AFTER


def test_lease_is_lost_once_another_has_a_higher_epoch(tmp_path: Path) -> None:
    first = Lease.acquire(tmp_path)
    assert not first.is_lost()
    first.release()
    assert not first.is_lost()
    second = Lease.acquire(tmp_path)
    assert first.is_lost()
    assert not second.is_lost()


def test_lease_is_lost_when_its_file_was_removed(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    (tmp_path / "000001").unlink()
    assert lease.is_lost()


def test_lease_is_not_known_to_be_lost_when_its_directory_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "owner"
    folder.mkdir()
    lease = Lease.acquire(folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        lease.is_lost()
    (tmp_path / "away").rename(folder)
    assert not lease.is_lost()


def test_driver_may_act_only_while_nobody_can_have_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = time.monotonic()
    lease = Lease.acquire(tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: begin + module.ACT_FOR - 1)
    assert lease.is_fresh
    monkeypatch.setattr(time, "monotonic", lambda: begin + module.ACT_FOR + 1)
    assert not lease.is_fresh
    lease.beat(time.monotonic())
    assert lease.is_fresh
    assert 2 * module.ACT_FOR <= module.SILENT_AFTER


def test_heartbeat_needs_no_new_file(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    file = (tmp_path / "000001.beat").stat().st_ino
    lease.beat(time.monotonic() + 60)
    assert (tmp_path / "000001.beat").stat().st_ino == file


# --- a driver that ended in a process that lives


def test_process_that_lives_holds_the_lease_only_while_its_heartbeat_moves(tmp_path: Path) -> None:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    owner = put(tmp_path, replace(HERE, pid=process.pid, start=process_start(process.pid)))
    liveness = Liveness(tmp_path, owner, silent_after=0.2)
    assert liveness.judge() is LeaseState.ALIVE
    wait_until(lambda: liveness.judge() is LeaseState.DEAD, 10, "its heartbeat stands still")
    (tmp_path / "000001.beat").write_text("2\n")
    assert liveness.judge() is LeaseState.ALIVE
    os.utime(tmp_path / "000001.beat", (time.time() - 70, time.time() - 70))
    assert Liveness(tmp_path, owner).judge() is LeaseState.SILENT
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2
    process.communicate()


def test_release_that_cannot_be_written_is_known_in_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease.acquire(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", raise_full)
        patch.setattr(Path, "rename", raise_full)
        lease.release()
    assert Liveness(tmp_path, lease.owner).judge() is LeaseState.DEAD
    assert Lease.acquire(tmp_path).owner.epoch == 2


def test_lease_can_be_released_without_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease.acquire(tmp_path)
    monkeypatch.setattr(Path, "touch", raise_full)
    lease.release()
    assert Liveness(tmp_path, lease.owner).judge() is LeaseState.RELEASED


def raise_full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_heartbeat_into_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "owner"
    folder.mkdir()
    lease = Lease.acquire(folder)
    folder.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        lease.beat(time.monotonic() + 60)


# --- reading


def test_nobody_has_driven_a_new_study(tmp_path: Path) -> None:
    assert read_current_owner(tmp_path) is None


def test_highest_epoch_is_the_current_one(tmp_path: Path) -> None:
    for epoch in (2, 10, 9):
        put(tmp_path, replace(HERE, epoch=epoch))
    owner = read_current_owner(tmp_path)
    assert owner is not None
    assert owner.epoch == 10


@pytest.mark.parametrize("data", [b"", b"\0" * 120, b'{"epoch": 2, "ho', b"\xff"])
def test_torn_owner_file_is_of_a_driver_that_never_drove(tmp_path: Path, data: bytes) -> None:
    pid, start = ended_process()
    before = put(tmp_path, replace(HERE, pid=pid, start=start))
    (tmp_path / "000002").write_bytes(data)
    assert read_current_owner(tmp_path) == before
    assert read_owner(tmp_path, 2) is None
    assert torn_owners(tmp_path) == [tmp_path / "000002"]

    lease = Lease.acquire(tmp_path)

    assert (lease.owner.epoch, lease.before) == (3, before), "no epoch is used twice"


def test_live_driver_below_a_torn_owner_file_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, HERE)
    (tmp_path / "000002").touch()
    with pytest.raises(StudyBusyError, match=str(HERE.pid)):
        Lease.acquire(tmp_path)


def test_owner_of_a_newer_mtui_is_known_by_what_both_know(tmp_path: Path) -> None:
    (tmp_path / "000001").write_text(json.dumps({**asdict(HERE), "cluster": "alps"}))
    assert read_current_owner(tmp_path) == HERE


@pytest.mark.parametrize("text", ["[]", '{"epoch": 1}'])
def test_damaged_owner_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "000001").write_text(text, errors="surrogateescape")
    with pytest.raises(StudyDirectoryError, match="who drives"):
        Lease.acquire(tmp_path)


def test_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudyDirectoryError, match="who drives"):
        Lease.acquire(tmp_path / "gone")


def test_lease_that_cannot_be_kept_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Lease, "beat", full)
    with pytest.raises(StudyDirectoryError, match="No space left"):
        Lease.acquire(tmp_path)
    monkeypatch.undo()
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_lease_whose_folder_cannot_be_synced_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtui.core.durable_files.sync_directory", raise_full)
    with pytest.raises(StudyDirectoryError, match="No space left"):
        Lease.acquire(tmp_path)
    monkeypatch.undo()
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


@pytest.mark.parametrize("name", ["plain", "two words", "a) b (c", "x) R 1 1 1"])
def test_start_of_a_process_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/cat")
    process = subprocess.Popen([program], stdin=subprocess.PIPE)
    try:
        assert int(process_start(process.pid)) >= int(process_start(os.getpid()))
    finally:
        process.communicate()
