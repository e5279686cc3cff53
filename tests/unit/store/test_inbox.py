"""The inbox: commands arrive whole, in order, once, and from their user only."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from mtui.core.engine.commands import CommandRequest
from mtui.core.errors import Refusal, StudyDirectoryError
from mtui.core.store.inbox import pending_commands, read_command, remove_command, send_command


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for folder in ("tmp", "new"):
        (tmp_path / folder).mkdir()
    return tmp_path


def test_command_is_read_as_it_was_sent(inbox: Path) -> None:
    options = {"throttle": 3, "walltime": "1:30:00", "nodes": ""}
    command = send_command(inbox, "cancel", ("a_X.1", "b*", "ä"), options)
    (path,) = pending_commands(inbox)
    assert read_command(path) == CommandRequest(command, "cancel", ("a_X.1", "b*", "ä"), tuple(options.items()))
    assert list((inbox / "tmp").iterdir()) == []


def test_commands_wait_in_the_order_in_which_they_were_sent(inbox: Path) -> None:
    sent = [send_command(inbox, "hold", (str(number),), {}) for number in range(20)]
    assert [path.name for path in pending_commands(inbox)] == sent
    assert len(set(sent)) == 20


def test_removed_command_is_no_longer_pending(inbox: Path) -> None:
    first, second = (send_command(inbox, "hold", (), {}) for _ in range(2))
    remove_command(inbox / "new" / first)
    remove_command(inbox / "new" / first)  # by a driver that was slower
    assert [path.name for path in pending_commands(inbox)] == [second]


def test_hidden_files_are_no_commands(inbox: Path) -> None:
    (inbox / "new" / ".nfs0001").write_text("")
    assert pending_commands(inbox) == []


def test_study_without_an_inbox_has_no_commands_and_takes_none(tmp_path: Path) -> None:
    assert pending_commands(tmp_path) == []
    with pytest.raises(StudyDirectoryError, match="cannot write a command"):
        send_command(tmp_path, "hold", (), {})


def test_full_disk_is_not_taken_for_another_users_study(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mtui.core.store.inbox.write_durably", fail)
    with pytest.raises(StudyDirectoryError, match="No space left") as caught:
        send_command(inbox, "hold", (), {})
    assert caught.value.hint == "free space there, then send the command again"


RECORD = {"v": 1, "command": "c", "verb": "hold", "targets": ["a"], "options": {}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("null", "cannot be read"),
        (json.dumps({**RECORD, "options": []}), "cannot be read"),
        (json.dumps({**RECORD, "options": {"throttle": [3]}}), "cannot be read"),
        (json.dumps({key: value for key, value in RECORD.items() if key != "verb"}), "cannot be read"),
        (json.dumps({**RECORD, "v": 2}), "newer"),
        ("\udcff", "cannot be read"),
    ],
    ids=["empty", "list", "null", "options", "option", "field missing", "version", "bytes"],
)
def test_what_is_no_command_is_passed_over_with_a_reason(inbox: Path, text: str, reason: str) -> None:
    path = inbox / "new" / "x"
    path.write_text(text, errors="surrogateescape")
    assert reason in str(read_command(path))


def test_command_of_another_user_does_not_count(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send_command(inbox, "cancel", ("*",), {})
    (path,) = pending_commands(inbox)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert read_command(path) == Refusal("it belongs to another user")


def test_command_that_is_gone_was_taken_by_somebody(inbox: Path) -> None:
    assert read_command(inbox / "new" / "gone") is None


@pytest.mark.parametrize(("number", "answer"), [(errno.ESTALE, None), (errno.EACCES, "cannot be read: ")])
def test_command_waits_while_the_file_system_is_in_trouble(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, number: int, answer: str | None
) -> None:
    send_command(inbox, "cancel", ("*",), {})
    (path,) = pending_commands(inbox)

    def no_text(*_: object, **__: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("mtui.core.store.inbox.read_text", no_text)
    assert read_command(path) == (None if answer is None else Refusal(answer + os.strerror(number)))
    monkeypatch.undo()
    assert isinstance(read_command(path), CommandRequest)


def test_command_with_very_many_targets_is_read(inbox: Path) -> None:
    targets = tuple(f"simulate_TEMPERATURE.{number}.PRESSURE.{number}" for number in range(40_000))
    send_command(inbox, "cancel", targets, {})
    (path,) = pending_commands(inbox)
    found = read_command(path)
    assert isinstance(found, CommandRequest)
    assert found.targets == targets


def test_command_that_no_command_can_be_is_passed_over(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it again would not help."""
    monkeypatch.setattr("mtui.core.store.inbox.WHOLE", 10)
    send_command(inbox, "cancel", ("*",), {})
    (path,) = pending_commands(inbox)
    assert read_command(path) == Refusal("cannot be read: larger than 10 bytes")
