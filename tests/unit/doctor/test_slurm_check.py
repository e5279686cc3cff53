"""What Slurm's answers, and their lack, mean."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.backends.cluster_limits import ClusterLimits
from mtui.core.doctor.finding import Level
from mtui.core.doctor.slurm_check import SlurmFacts, ask_slurm, slurm_findings
from tests.unit.backends.fake import Fake

GOOD = SlurmFacts(
    version="slurm 23", took=0.1, jobs=3, site=ClusterLimits(submit_limits={"debug": 5}), profile="x (x.yaml)"
)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake(tmp_path)
    monkeypatch.setenv("PATH", str(fake.folder))
    return fake


def test_all_is_well() -> None:
    assert {finding.level for finding in slurm_findings(GOOD)} == {Level.GOOD}


def test_what_the_limits_are() -> None:
    (limits,) = (finding for finding in slurm_findings(GOOD) if finding.subject == "limits")
    assert limits.found == "arrays of up to 1,001 tasks; jobs in the queue at most: debug 5"


@pytest.mark.parametrize(
    ("facts", "subject", "level", "words"),
    [
        (SlurmFacts(("sbatch", "squeue", "scancel")), "programs", Level.NOTE, "--local"),
        (SlurmFacts(("scancel",)), "programs", Level.PROBLEM, "--local"),
        (SlurmFacts(configured=False), "programs", Level.NOTE, "SLURM_CONF"),
        (SlurmFacts(conf="/no/slurm.conf"), "programs", Level.PROBLEM, "correct it"),
        (SlurmFacts(silent="timed out"), "controller", Level.PROBLEM, "keeps trying"),
        (replace(GOOD, version="slurm 20.02.7"), "programs", Level.PROBLEM, "--local"),
        (replace(GOOD, accounting=False), "accounting", Level.NOTE, "lost"),
        (replace(GOOD, missing=("srun",)), "srun", Level.NOTE, "packed"),
        (replace(GOOD, inside="12"), "allocation", Level.NOTE, "--in-allocation"),
        (replace(GOOD, profile="", unreadable="x.yaml: no"), "site", Level.PROBLEM, "fixed"),
    ],
)
def test_what_is_missing_is_said_with_what_follows(facts: SlurmFacts, subject: str, level: Level, words: str) -> None:
    odd = [finding for finding in slurm_findings(facts) if finding.level is not Level.GOOD]
    assert [(finding.subject, finding.level) for finding in odd] == [(subject, level)]
    assert words in odd[0].then


def test_a_machine_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = ask_slurm({})
    assert set(facts.missing) >= {"sbatch", "squeue", "scancel"}


def test_a_machine_with_programs_and_no_cluster(fake: Fake) -> None:
    fake.does("scontrol", "echo 'fatal: Could not establish a configuration source' >&2; exit 1")
    assert ask_slurm(dict(os.environ)).configured is False


@pytest.mark.usefixtures("fake")
def test_a_configuration_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", "/no/slurm.conf")
    assert ask_slurm(dict(os.environ)).conf == "/no/slurm.conf"


def test_a_controller_that_does_not_answer(fake: Fake) -> None:
    fake.does("squeue", "echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1")
    assert ask_slurm(dict(os.environ)).silent == "Unable to contact slurm controller"


def test_a_cluster_without_accounting(fake: Fake) -> None:
    fake.does("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    facts = ask_slurm({**os.environ, "SLURM_JOB_ID": "7"})
    assert (facts.accounting, facts.silent, facts.inside) == (False, "", "7")


@pytest.mark.usefixtures("fake")
def test_a_profile_with_mistakes(tmp_path: Path) -> None:
    sites = tmp_path / "mtui" / "sites"
    sites.mkdir(parents=True)
    (sites / "here.yaml").write_text("nmae: here\n")
    facts = ask_slurm({**os.environ, "XDG_CONFIG_HOME": str(tmp_path)})
    assert "nmae" in facts.unreadable


def test_profiles_are_looked_for_where_the_environment_says() -> None:
    facts = replace(GOOD, profile="", profiles="/elsewhere/mtui/sites")
    (site,) = (finding for finding in slurm_findings(facts) if finding.subject == "site")
    assert "/elsewhere/mtui/sites/NAME.yaml" in site.then
