"""The study's commands for its first failure and its end run once, after the journal says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.driver import hooks
from mtui.core.driver.hooks import HookRunner
from mtui.core.engine.status import Status
from mtui.core.store.study_file import Settings
from tests.plans import step
from tests.unit.driver.fake_context import FakeContext
from tests.unit.engine.script import cancel, ended, started
from tests.waiting import wait_until


def study(folder: Path, **settings: str) -> FakeContext:
    """Of two instances, the first of which has failed."""
    context = FakeContext(folder, step("a", uses="X"), rows={"X": [1, 2]}, settings=Settings(**settings))  # type: ignore
    for index in (0, 1):
        context.submit(index, f"{70 + index}")
        context.emit(started(index, job=f"{70 + index}"))
    context.emit(ended(0, Status.FAILED))
    context.trace.clear()
    return context


def test_first_failure_runs_its_command_with_the_instance_and_its_cause(tmp_path: Path) -> None:
    context = study(tmp_path, on_failure='echo "$MTUI_STUDY $MTUI_INSTANCE $MTUI_CAUSE $MTUI_FAILED" > reported')
    HookRunner(context).failed(0)
    assert context.trace == ["hook_run", "sync"]
    reported = context.directory.root / "reported"
    wait_until(lambda: reported.is_file() and reported.read_text().endswith("\n"), 20, "the command has run")
    assert reported.read_text() == "test a_X.1 why 1\n"


def test_further_failures_run_nothing(tmp_path: Path) -> None:
    context = study(tmp_path, on_failure="true")
    runner = HookRunner(context)
    runner.failed(0)
    context.emit(ended(1, Status.FAILED))
    runner.failed(1)
    assert context.trace.count("hook_run") == 1


def test_cancellation_is_no_failure(tmp_path: Path) -> None:
    context = study(tmp_path, on_failure="true")
    context.emit(cancel(1))
    context.emit(ended(1, Status.CANCELLED))
    HookRunner(context).failed(1)
    assert "hook_run" not in context.trace


def test_end_of_the_study_waits_for_its_command_and_logs_what_it_prints(tmp_path: Path) -> None:
    context = study(tmp_path, on_end="echo $MTUI_RESULT")
    runner = HookRunner(context)
    runner.ended("failed")
    runner.wait()
    assert context.directory.hooks_log.read_text() == "failed\n"


def test_lease_is_renewed_while_the_last_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_RENEW_EVERY", 0.01)
    context = study(tmp_path, on_end="while ! [ -e renewed ]; do sleep 0.01; done")
    context.log.renew = (context.directory.root / "renewed").touch
    runner = HookRunner(context)
    runner.ended("failed")
    runner.wait()
    assert (context.directory.root / "renewed").exists()


def test_study_without_commands_runs_nothing(tmp_path: Path) -> None:
    context = study(tmp_path)
    runner = HookRunner(context)
    runner.failed(0)
    runner.ended("failed")
    assert context.trace == []
