"""Claims: one owner per attempt, and the same result from Python and from job.sh."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from mtui.core.claims import REVOKED, Claims, attempt_name

RUNNER = Path(__file__).parents[2] / "core" / "backends" / "job.sh"


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    (tmp_path / "claims").mkdir()
    return Claims(tmp_path / "claims")


def files(claims: Claims) -> dict[str, str]:
    return {path.name: path.read_text() for path in claims.folder.iterdir() if not path.name.startswith(".")}


def no_space(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_attempt_is_named_by_instance_and_number() -> None:
    assert attempt_name(12, 3) == "12.3"


# --- a job takes a claim


def test_claim_is_taken_once(claims: Claims) -> None:
    assert claims.take("1.1", "7") is None
    assert claims.take("1.1", "8") == "7"
    assert files(claims) == {"1.1": "7\n"}
    assert claims.owner("1.1") == "7"


def test_owner_that_is_not_written_yet_is_empty(claims: Claims) -> None:
    (claims.folder / "2.1").touch()
    assert claims.take("2.1", "8") == ""
    assert (claims.owner("2.1"), claims.is_taken("2.1")) == ("", True)


def test_claim_that_nobody_took_has_no_owner(claims: Claims) -> None:
    assert (claims.owner("1.1"), claims.is_taken("1.1"), claims.is_revoked("1.1")) == ("", False, False)


def test_claim_that_cannot_be_written_is_left_as_it_was(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "write", no_space)
        claims.take("1.1", "7")
    assert files(claims) == {}
    with pytest.raises(FileNotFoundError):
        Claims(claims.folder / "gone").take("1.1", "7")


def test_claim_that_can_neither_be_written_nor_removed_is_taken_later(
    claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "write", no_space)
        patch.setattr(Path, "unlink", no_space)
        claims.take("1.1", "7")
    assert files(claims) == {"1.1": ""}
    assert claims.take("1.1", "7") is None
    assert claims.take("1.1", "8") == "7"


def test_claim_whose_removal_only_seemed_to_fail_is_taken_later(
    claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file server that carries out a request, and does not answer in time."""
    unlink = Path.unlink

    def unlink_unanswered(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        raise OSError(errno.ETIMEDOUT, "Connection timed out")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="timed out"):
        patch.setattr(os, "write", no_space)
        patch.setattr(Path, "unlink", unlink_unanswered)
        claims.take("1.1", "7")
    assert files(claims) == {}
    assert claims.take("1.1", "7") is None


# --- a driver revokes an attempt


def test_revoked_claim_stays_the_drivers(claims: Claims) -> None:
    assert claims.revoke("0.1")
    assert claims.is_revoked("0.1")
    assert claims.revoke("0.1"), "as after a driver that died behind it"
    assert claims.take("0.1", "7") == REVOKED
    assert files(claims) == {"0.1": "void\n"}


@pytest.mark.parametrize("owner", ["11\n", "11_4\n", "4711\n", "", "voi"])
def test_claim_of_a_job_cannot_be_revoked(claims: Claims, owner: str) -> None:
    (claims.folder / "0.1").write_text(owner)
    assert not claims.revoke("0.1")
    assert files(claims) == {"0.1": owner}


def test_revocation_that_cannot_be_written_is_left_as_it_was(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "link", no_space)
        claims.revoke("0.1")
    assert files(claims) == {}
    assert claims.revoke("0.1")
    with pytest.raises(FileNotFoundError):
        Claims(claims.folder / "gone").revoke("0.1")


def test_revoked_claim_is_on_the_disk_with_its_owner_before_it_counts(
    claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bytes]] = []

    def sync(number: int) -> None:
        status = os.fstat(number)
        synced.append((status.st_ino, os.pread(number, 9, 0) if stat.S_ISREG(status.st_mode) else b""))

    monkeypatch.setattr(os, "fsync", lambda number: sync(os.open(f"/proc/self/fd/{number}", os.O_RDONLY)))
    claims.revoke("0.1")
    assert ((claims.folder / "0.1").stat().st_ino, b"void\n") in synced
    claims.revoke("0.2")
    synced.clear()

    claims.sync()

    assert synced == [(claims.folder.stat().st_ino, b"")]


def test_no_job_writes_into_the_file_that_all_revoked_claims_share(claims: Claims) -> None:
    claims.revoke("0.1")
    assert stat.S_IMODE((claims.folder / "0.1").stat().st_mode) == 0o400


def test_more_claims_are_revoked_than_a_file_has_links(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def link_few(source: Path, target: Path) -> None:
        if source.exists() and source.stat().st_nlink > 3:
            raise OSError(errno.EMLINK, "Too many links")
        link(source, target)

    monkeypatch.setattr(os, "link", link_few)
    assert all(claims.revoke(f"{index}.1") for index in range(10))
    assert files(claims) == {f"{index}.1": "void\n" for index in range(10)}


def test_either_the_job_or_the_driver_has_an_attempt(claims: Claims) -> None:
    """Both at the same moment, many times: a revoked attempt never runs, and a running one is never revoked."""
    for number in range(1, 101):
        attempt, barrier, taken = attempt_name(0, number), threading.Barrier(2), list[str | None]()

        def take(attempt: str = attempt, barrier: threading.Barrier = barrier, taken: list[str | None] = taken) -> None:
            barrier.wait()
            taken.append(claims.take(attempt, "7"))

        thread = threading.Thread(target=take)
        thread.start()
        barrier.wait()
        revoked = claims.revoke(attempt)
        thread.join()
        assert revoked == (taken != [None])


# --- job.sh does the same


def run_job(home: Path, job: str) -> tuple[bool, str]:
    """Run attempt 3.1 as job `job` with the real job.sh: whether its script ran, and the owner that it found."""
    for folder in ("spool/new", "bin"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "script.sh").write_text("touch ran\n")
    (home / "bin" / "sleep").write_text("#!/bin/sh\n")  # it waits for an owner that is not written yet
    (home / "bin" / "sleep").chmod(0o755)
    environment = {"PATH": f"{home}/bin:{os.environ['PATH']}", "SLURM_JOB_ID": job, "SLURMD_NODENAME": "n1"}
    command = ["/bin/sh", str(RUNNER), "3.1", str(home), str(home), str(home / "script.sh"), "", "", "/bin/sh"]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    records = [json.loads(path.read_text()) for path in (home / "spool" / "new").iterdir()]
    owners = [record["owner"] for record in records if record["kind"] == "twin"]
    return (home / "ran").exists(), "".join(owners)


@pytest.mark.parametrize(
    "found", [None, "6\n", "7\n", f"{REVOKED}\n", ""], ids=["free", "second", "same owner", "revoked", "empty"]
)
def test_job_sh_and_python_agree_on_who_runs(claims: Claims, tmp_path: Path, found: str | None) -> None:
    other = Claims(tmp_path / "other" / "claims")
    other.folder.mkdir(parents=True)
    for folder in (claims, other):
        if found is not None:
            (folder.folder / "3.1").write_text(found)
    ran, owner = run_job(tmp_path, "7")
    taken_by = other.take("3.1", "7")
    assert (ran, owner) == (taken_by is None, taken_by or "")
    assert files(claims) == files(other)


def test_python_reads_the_claim_that_job_sh_took(claims: Claims, tmp_path: Path) -> None:
    assert run_job(tmp_path, "90") == (True, "")
    assert claims.owner("3.1") == "90"
    assert not claims.revoke("3.1")
