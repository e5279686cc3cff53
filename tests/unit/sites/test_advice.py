"""What is said of a plan before a site sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.sites.advice import advice
from mtui.core.sites.profile import Profile
from mtui.core.sites.profile_search import find_profile
from mtui.core.study_creation import PlanOptions, plan_study
from tests.unit.planning import HEAD, plan_of


def perlmutter() -> Profile:
    found = find_profile("perlmutter", Path(), {"HOME": "/nowhere"})
    assert found
    return found


def said(run: str, batch: str = "", parameters: str = "", head: str = "") -> list[str]:
    """What is said of one step; the batch block is one that is fine."""
    given = f"bank: m1, queue: '', qos: regular, constraint: cpu, {batch}"
    keys = {key.split(":")[0].strip(): key for key in given.split(", ") if key}
    text = f"""{HEAD}batch: {{type: slurm, host: h, {", ".join(keys.values())}}}
study:
- name: a
  description: d
  run:
    cmd: |
      {head}
      true
    {run}
{parameters}"""
    return [problem.message for problem in advice(plan_of(text), perlmutter(), {})]


FINE = "{nodes: 1, procs: 64, walltime: '01:00:00'}"


@pytest.mark.parametrize(
    ("run", "batch", "reported"),
    [
        ("nodes: 1\n    walltime: '01:00:00'", "", []),
        ("nodes: 1\n    walltime: '01:00:00'", "constraint: ''", [
            "step 'a': it has no constraint, and perlmutter refuses jobs without one"]),
        ("nodes: 1\n    walltime: '01:00:00'", "bank: ''", [
            "step 'a': it has no account, and perlmutter refuses jobs without one"]),
        ("nodes: 1\n    walltime: '01:00:00'", "queue: regular", [
            "step 'a': perlmutter refuses a partition beside a qos ('regular')"]),
        ("nodes: 1\n    walltime: '00:20:00'", "qos: ''", [
            "step 'a': it has no qos, and gets 'debug' on perlmutter"]),
        ("nodes: 1\n    walltime: '01:00:00'", "qos: debug", [
            "step 'a': its walltime of 01:00:00 exceeds the 00:30:00 of qos debug"]),
        ("nodes: 9\n    walltime: '00:30:00'", "qos: debug", [
            "step 'a': it requests 9 nodes, but qos debug allows at most 8"]),
        ("nodes: 1\n    walltime: '01:00:00'", "qos: preempt", [
            "step 'a': qos preempt requires a walltime of at least 02:00:00, not 01:00:00"]),
        ("nodes: 1", "", ["step 'a': it has no walltime"]),
        ("nodes: 1\n    gpus: 4\n    walltime: 60", "", [
            "step 'a': it requests 4 GPUs on a node; a cpu node has none"]),
        ("nodes: 1\n    walltime: 60", "constraint: gpu", [
            "step 'a': gpu nodes need an account that ends in _g, not 'm1'"]),
        ("nodes: 1\n    walltime: 60", "bank: m1_g", ["step 'a': account 'm1_g' cannot be used for cpu nodes"]),
        ("nodes: 1\n    gpus: 4\n    walltime: 60", "constraint: gpu&hbm80g, bank: m1_g", []),
        ("nodes: 2\n    procs: 8\n    walltime: 60", "constraint: gpu, bank: m1_g, gpus per task: 2", [
            "step 'a': it requests 8 GPUs on a node; a gpu node has 4"]),
        ("nodes: 1\n    walltime: 60", "constraint: haswell", [
            "step 'a': constraint 'haswell' names none of perlmutter's nodes (cpu, gpu)"]),
        ("procs: 1280\n    walltime: 60", "", []),  # Slurm spreads them
        ("procs: 2\n    cores per task: 257\n    walltime: 60", "", [
            "step 'a': it requests 257 cores on a node; a cpu node has 256"]),
        ("nodes: 1\n    procs: 129\n    cores per task: 2\n    walltime: 60", "", [
            "step 'a': it requests 258 cores on a node; a cpu node has 256"]),
        ("nodes: 1\n    walltime: 60", "mem: 600G", [
            "step 'a': it requests 600 GB on a node; a cpu node has 502 GB"]),
        ("nodes: 1\n    procs: 128\n    walltime: 60", "mem per cpu: 5G", [
            "step 'a': it requests 640 GB on a node; a cpu node has 502 GB"]),
    ],
)  # fmt: skip
def test_what_a_site_would_not_take(run: str, batch: str, reported: list[str]) -> None:
    assert said(run, batch) == reported


def test_directives_of_the_author_count_as_well() -> None:
    run = "nodes: 1\n    walltime: 60"
    assert said(run, "constraint: ''", head="#SBATCH -C cpu --mem=1G") == []
    assert said(run, head="#SBATCH --qos debug -t 45") == [
        "step 'a': its walltime of 45 exceeds the 00:30:00 of qos debug"
    ]
    assert said(run, "sbatch: ['--gpus-per-node=1']") == ["step 'a': it requests 1 GPUs on a node; a cpu node has none"]


def test_instances_that_differ_are_all_checked_and_reported_once() -> None:
    rows = "global.parameters: {N: {values: [1, 9, 12], label: N.%%}}\n"
    reported = said("nodes: $(N)\n    walltime: '00:10:00'", "qos: debug", rows)
    assert reported == ["step 'a': it requests 9 nodes, but qos debug allows at most 8"]


def test_more_jobs_than_the_queue_accepts_are_reported_by_qos() -> None:
    rows = f"global.parameters: {{N: {{values: {list(range(6))}, label: N.%%}}}}\n"
    reported = said("nodes: 1\n    walltime: '00:10:00'", "qos: debug", rows, head="echo $(N)")
    assert reported == ["perlmutter allows 5 jobs per user at a time in qos debug; the study has 6"]


@pytest.mark.parametrize("name", ["size_sweep", "perlmutter_demo"])
def test_studies_of_the_site_itself_are_fine(
    shared: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NERSC_HOST", "perlmutter")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    planned = plan_study(shared / "perlmutter" / f"{name}.yaml", PlanOptions())
    assert planned.profile and planned.profile.name == "perlmutter"
    assert [problem.message for problem in planned.warnings] == []
