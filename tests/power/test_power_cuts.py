"""Ten power cuts at random moments, and one at the moment that lost most; `python -m tests.power` tries many more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.doctor.finding import Level
from mtui.core.doctor.study_check import check_study
from mtui.core.store.inbox import pending_commands, send_command
from mtui.core.store.study_directory import StudyDirectory
from tests import mtui
from tests.power.__main__ import plan_stories, play_all, summary
from tests.power.disk import KINDS, unavailable
from tests.power.machine import Machine
from tests.waiting import wait_until

SEED = 17
CUTS = 5  # on each file system


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if why := unavailable(found):
        pytest.skip(f"no power cuts on {found}: {why}")
    return found


@pytest.fixture
def machine(kind: str, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, kind)
    yield made
    made.close()


def test_studies_survive_power_cuts_at_random_moments(kind: str, tmp_path: Path) -> None:
    total, wrong = play_all(plan_stories(CUTS, SEED, (kind,)), tmp_path, 2)
    print(summary(total, wrong))
    assert wrong == []
    assert total.cuts == CUTS


def test_power_cut_shortly_after_the_start_takes_nothing_that_cannot_be_made_again(machine: Machine) -> None:
    trace = machine.folder / "trace"
    steps = f'- {{name: a, description: d, run: {{cmd: "echo ran >> {trace}; sleep 30"}}}}'
    spec = mtui.write_study(machine.folder / "study.yaml", steps)
    directory = StudyDirectory(machine.disk.mount / "out")
    driver = machine.start("--no-ui", "-y", "-o", directory.root, spec, log=machine.folder / "log")
    wait_until(trace.exists, 60, "the step runs")

    machine.cut_power()
    driver.wait(20)

    kept = ("study.yaml", ".mtui/study.json", ".mtui/job.sh", ".mtui/fallback.sh", ".mtui/owner/000001")
    assert [name for name in kept if not (directory.root / name).stat().st_size] == []
    assert all(finding.level is not Level.PROBLEM for finding in check_study(directory).group.findings)
    status = machine.run("status", directory.root)
    assert status.returncode == 0, status.stderr


def test_command_is_on_the_disk_when_it_is_accepted(machine: Machine) -> None:
    spec = mtui.write_study(machine.folder / "study.yaml", '- {name: a, description: d, run: {cmd: "true"}}')
    directory = StudyDirectory(machine.disk.mount / "out")
    assert machine.run("--no-ui", "-y", "-o", directory.root, spec).returncode == 0

    command = send_command(directory.inbox, "rerun", ("a",), {})
    machine.cut_power()

    assert [path.name for path in pending_commands(directory.inbox)] == [command]
    assert mtui.statuses(directory.root) == {"a": "finished"}
