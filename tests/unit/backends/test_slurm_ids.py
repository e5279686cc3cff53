"""Slurm's job ids, as several versions of it print them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.backends.backend import Accepted, Deferred, JobIdentity, Refused
from mtui.core.backends.slurm_ids import is_component, our_ids, rest_of, whole_job
from mtui.core.backends.slurm_text import ALIVE, ENDED, SlurmView, parse_sacct, parse_squeue
from mtui.core.backends.submit_answer import sbatch_answer
from mtui.core.backends.usage import parse_usage

OUTPUTS = Path(__file__).parent / "slurm_outputs"  # of real clusters, one file for each version
VERSIONS = ("22.05", "24.11", "26.05")


def outputs(version: str, command: str) -> Iterator[tuple[str, str]]:
    """Yield each call of a program in the file of a version without its variables, and what it printed."""
    for section in re.split(r"(?m)^\$ ", (OUTPUTS / f"{version}.txt").read_text(encoding="utf-8")):
        call, _, text = re.sub(r"^(\w+=\S* )+", "", section).partition("\n")
        if call.startswith(command):
            yield call, text


@pytest.mark.parametrize(
    ("shown", "ids"),
    [
        ("14", ["14"]),
        ("14+0", ["14"]),
        ("14+1", ["14+1"]),
        ("16_3", ["16_3"]),
        ("16_[0,2-3]", ["16_0", "16_2", "16_3"]),
        ("16_[2-3%1]", ["16_2", "16_3"]),
        ("16_[0-1,5,...]", ["16_0", "16_1", "16_5", "16_..."]),
        ("16_[0-1,5-...]", ["16_0", "16_1", "16_..."]),
        ("134217741", ["134217741"]),  # of cluster 2 of a federation
        ("134217741_[0-1]", ["134217741_0", "134217741_1"]),
    ],
)
def test_shown_id_denotes_our_ids(shown: str, ids: list[str]) -> None:
    assert our_ids(shown) == ids


def test_every_id_belongs_to_a_whole_job() -> None:
    shown = ("14", "14_2", "14_[0-3]", "14+0", "14+1", "14.batch", "14_2.0", "14+1.0")
    assert {whole_job(job) for job in shown} == {"14"}
    assert [job for job in shown if is_component(job)] == ["14+1", "14+1.0"]
    assert (rest_of("14_2"), rest_of("14")) == ("14_...", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_of_squeue_and_sacct_are_those_that_were_submitted(version: str) -> None:
    shown = {job for _, text in outputs(version, "squeue") for job in parse_squeue(text)}
    array, each = {f"5_{task}" for task in (0, 1, 2, 5, 7, 8, 9)}, {f"8_{task}" for task in range(4)}
    assert {"1", "2", "3", "13"} | array | each <= shown
    assert all(re.fullmatch(r"\d+(_\d+|_\.\.\.|\+1)?", job) for job in shown)
    accounted = [parse_sacct(text) for call, text in outputs(version, "sacct ") if "--allocations" in call]
    assert {*each, *array} - {"5_5"} <= set(accounted[0])  # a task that was cancelled before it began has no record
    assert accounted[0]["2"].name == "bad|name"
    assert {job.state for jobs in accounted for job in jobs.values()} <= {*ENDED, *ALIVE}
    assert accounted[-1].keys() == {"1", "4"}  # with another language and time zone


@pytest.mark.parametrize("version", VERSIONS)
def test_refusals_of_each_version_are_refusals(version: str) -> None:
    found: dict[str, type] = {}
    for _, text in outputs(version, "sbatch --parsable"):
        if code := re.search(r"^\[rc (\d+)\]$", text, re.MULTILINE):
            stderr = text[: code.start()].removeprefix("[stderr] ")
            answer = sbatch_answer(int(code[1]), "", stderr, bound=False)
            assert not isinstance(answer, Accepted)
            found[answer.message] = type(answer)
    limits = [message for message in found if message.startswith("QOSMaxSubmitJobPerUserLimit")]
    outages = [message for message in found if "Unable to contact slurm controller" in message]
    sites = [message for message in found if "the project database says no" in message]
    for message, kind in found.items():
        if message not in sites:
            assert kind is (Deferred if message in (*limits, *outages) else Refused), message
    assert (len(limits), len(outages), len(sites)) == (1, 1, 1)
    assert len(found) >= 18


@pytest.mark.parametrize("version", VERSIONS)
def test_job_behind_a_message_of_the_site_is_accepted(version: str) -> None:
    (text,) = [text for call, text in outputs(version, "sbatch") if "welcome" in call]
    job, _, stderr = text.strip().partition("\n[stderr] ")
    assert stderr.startswith("sbatch: Welcome")
    answer = sbatch_answer(0, job, stderr, bound=False)
    assert isinstance(answer, Accepted)
    assert answer.job == job


@pytest.mark.parametrize("version", VERSIONS)
def test_array_that_was_cancelled_before_it_began_is_found_in_accounting(version: str) -> None:
    queue = [text for _, text in outputs(version, "squeue")][-1]
    (_, text), (_, of_tasks), *_ = (one for one in outputs(version, "sacct ") if "--allocations" in one[0])
    view = SlurmView({}, parse_sacct(text))
    for job in ("11_0", "11_2", "12_3"):
        end = view.accounted_end(JobIdentity(job, ""))
        assert end
        assert (end.state, end.reason) == ("CANCELLED", "by 0")
        assert parse_squeue(queue)[job].state == "CANCELLED"
    assert view.find(JobIdentity("12_1", "limited")) == parse_sacct(text)["12_1"]
    assert not view.find(JobIdentity("11_4", ""))
    assert of_tasks.strip() == ""  # sacct does not find them by their own ids


@pytest.mark.parametrize("version", VERSIONS)
def test_heterogeneous_job_is_known_by_its_first_component(version: str) -> None:
    (_, queue), *_ = outputs(version, "squeue")
    assert parse_squeue(queue)["13"].name == "het"
    (_, text), *_ = (one for one in outputs(version, "sacct ") if "--allocations" in one[0])
    assert SlurmView({}, parse_sacct(text)).find(JobIdentity("13", "het"))


def test_tasks_left_out_of_a_shortened_list_are_found() -> None:
    view = SlurmView({}, parse_sacct("16_[0-1,...]|CANCELLED by 0|0:0|None assigned|n\n16_7|COMPLETED|0:0|n1|n\n"))
    for job, state in (("16_1", "CANCELLED"), ("16_9", "CANCELLED"), ("16_7", "COMPLETED")):
        found = view.find(JobIdentity(job, "n"))
        assert found
        assert found.state == state
    assert not view.find(JobIdentity("16", "n"))


def test_job_of_a_federation_that_another_cluster_runs_has_not_ended() -> None:
    here, there = "7|REVOKED|0:0|None assigned|2026-11-29T07:21:17|n\n", "7|COMPLETED|0:0|n1|2026-11-29T07:21:17|n\n"
    assert not SlurmView({}, parse_sacct(here)).accounted_end(JobIdentity("7", "n"))
    for text in (here + there, there + here):
        assert parse_sacct(text)["7"].state == "COMPLETED"


def test_usage_of_a_heterogeneous_job_is_that_of_all_components() -> None:
    text = (
        "14+0|60|10|4|1|00:30|||n\n14+0.batch|60||4|1|00:30|100M||batch\n"
        "14+1|60|10|8|2|01:00|||n\n14+1.0|60||8|2|01:00|300M||srun\n"
        "16_[0,2]|0|10|1|1|00:00|||n\n"
    )
    found = parse_usage(text, [JobIdentity("14", "n"), JobIdentity("16_2", "n")])
    usage = found[JobIdentity("14", "n")]
    assert (usage.cpus, usage.nodes, usage.elapsed, usage.cpu_seconds, usage.memory) == (12, 3, 60, 90.0, 300.0)
    assert found[JobIdentity("16_2", "n")].elapsed == 0
