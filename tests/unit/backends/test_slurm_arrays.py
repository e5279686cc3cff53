"""Arrays and dependencies as sbatch gets them, what the cluster allows, and looks that show arrays."""

from __future__ import annotations

import pwd
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.backends import slurm as module
from mtui.core.backends.backend import Accepted, AttemptFiles, Deferred, Job, JobIdentity, Refused
from mtui.core.backends.cluster_limits import ClusterLimits
from mtui.core.backends.slurm import Slurm
from mtui.core.backends.slurm_text import SlurmView
from tests.no_threads import NoThreads
from tests.unit.backends.fake import Fake


class Study:
    """A study directory on a cluster of fake programs."""

    def __init__(self, root: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_SUBMIT_DEADLINE", 30)
        self.fake = fake
        self.root = root / "o ut"
        (self.root / ".mtui").mkdir(parents=True)
        self.handed = root / "handed"
        self.slurm = Slurm(self.root / ".mtui", fake.log)
        fake.does("sbatch", f"cat > '{self.handed}'\necho 90")

    def array(self, *tasks: int, after: str = "") -> Job:
        attempts: list[AttemptFiles] = []
        for index in range(len(tasks)):
            workspace = self.root / "s" / f"X.{index}"
            workspace.mkdir(parents=True)
            (workspace / "s.slurm.sh").write_text("#!/bin/bash\n#SBATCH --time=5\n#SBATCH --output=mine\ntrue\n")
            paths = (str(workspace / f"s.{kind}") for kind in ("slurm.sh", "out", "err"))
            attempts.append(AttemptFiles(f"{index}.1", str(workspace), *paths))
        return Job("1-1", "mt.x.1-1:s", tuple(attempts), tasks, ("#SBATCH --time=5",), after)


@pytest.fixture
def study(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Study:
    return Study(tmp_path, fake, monkeypatch)


# --- submitting


def test_array_is_handed_over_from_the_study_directory_with_its_tasks(study: Study) -> None:
    assert study.slurm.submit(study.array(0, 1, 2, 7)) == Accepted("90")
    assert study.fake.said("sbatch") == [
        f"--parsable --job-name=mt.x.1-1:s --chdir={study.root} --array=0-2,7",
    ]
    lines = study.handed.read_text().splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH")]
    assert directives == [
        "#SBATCH --no-requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=.mtui/submit/1-1/%a.out",
        "#SBATCH --error=.mtui/submit/1-1/%a.err",
        "#SBATCH --time=5",
    ]


def test_links_lead_to_the_logs_in_the_workspaces(study: Study) -> None:
    study.slurm.submit(study.array(3, 8))
    folder = study.root / ".mtui" / "submit" / "1-1"
    assert sorted(path.name for path in folder.iterdir()) == ["3", "3.err", "3.out", "8", "8.err", "8.out"]
    (folder / "8.out").write_text("what Slurm has to say\n")
    assert (study.root / "s" / "X.1" / "s.out").read_text() == "what Slurm has to say\n"
    assert not (folder / "3.err").readlink().is_absolute()  # a study directory may be moved
    reported = {task: (folder / task).read_text() for task in ("3", "8")}
    assert reported == {"3": "0.1 s/X.0 s.slurm.sh\n", "8": "1.1 s/X.1 s.slurm.sh\n"}


@pytest.mark.parametrize("after", ["aftercorr:12", "afterok:12:13_4", "aftercorr:12,afterok:13"])
@pytest.mark.parametrize("tasks", [(), (0, 1)], ids=["job", "array"])
def test_job_that_is_bound_names_what_it_waits_for_and_ends_if_that_fails(
    study: Study, after: str, tasks: Sequence[int]
) -> None:
    job = study.array(*tasks, after=after) if tasks else replace(study.fake.job(), after=after)
    assert study.slurm.submit(job) == Accepted("90")
    (said,) = study.fake.said("sbatch")
    assert f" --dependency={after} --chdir=" in said


def test_job_that_is_not_bound_has_no_word_of_it(study: Study) -> None:
    study.slurm.submit(study.fake.job())
    (said,) = study.fake.said("sbatch")
    assert "dep" not in said
    assert "--array" not in said


@pytest.mark.parametrize(("broken", "expected"), [("script", Deferred), ("submit", Refused)])
def test_array_whose_files_cannot_be_laid_out_is_not_submitted(
    study: Study, broken: str, expected: type[Deferred | Refused]
) -> None:
    job = study.array(0, 1)
    if broken == "script":
        Path(job.attempts[0].script).unlink()
    else:
        (study.root / ".mtui" / "submit").write_text("in the way")
    assert isinstance(study.slurm.submit(job), expected)
    assert study.fake.said("sbatch") == []


def test_squeue_shows_every_task_of_an_array(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUERY_DEADLINE", 30)
    study.fake.does("squeue", 'echo "9_[0-1,4]|PENDING|Dependency||q|$SLURM_BITSTR_LEN"')
    view = study.slurm.look([JobIdentity(job, "0") for job in ("9_0", "9_1", "9_4")])
    assert isinstance(view, SlurmView)
    assert {job: shown.name for job, shown in view.jobs.items()} == {"9_0": "0", "9_1": "0", "9_4": "0"}
    (said,) = study.fake.said("squeue")
    assert "--array" not in said
    assert study.fake.said("sacct") == []  # nothing is missing


# --- what the cluster allows


def test_site_is_read_from_slurms_programs(fake: Fake, patient: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMITS_DEADLINE", 30)
    fake.does("scontrol", "echo 'MaxArraySize            = 500'; echo 'MinJobAge = 20 sec'")
    fake.does("sacctmgr", 'case "$*" in *qos*) echo "debug|5||";; *assoc*) echo "m1|30||debug";; esac')
    site = patient.site()
    assert (site.max_array, site.min_job_age, site.submit_limit("", "m1"), site.submit_limit("x", "m1")) == (
        500,
        20.0,
        5,
        30,
    )
    assert any("format=Name,MaxSubmitPU" in said for said in fake.said("sacctmgr"))


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_site_is_queried_without_threads_where_none_can_be_started(
    fake: Fake, patient: Slurm, monkeypatch: pytest.MonkeyPatch, no_threads: NoThreads, threads: int
) -> None:
    monkeypatch.setattr(module, "_LIMITS_DEADLINE", 30)
    fake.does("scontrol", "echo 'MaxArraySize            = 500'")
    fake.does("sacctmgr", 'case "$*" in *qos*) echo "debug|5||";; *assoc*) echo "m1|30||debug";; esac')
    no_threads.allow_only(threads)
    site = patient.site()
    assert (site.max_array, site.submit_limit("", "m1"), site.submit_limit("x", "m1")) == (500, 5, 30)


@pytest.mark.parametrize("what", ["exit 1", "exec sleep 60", "kill -9 $$", ""], ids=["error", "hang", "killed", "gone"])
def test_site_that_cannot_be_queried_has_slurms_defaults(
    fake: Fake, slurm: Slurm, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(module, "_LIMITS_DEADLINE", 0.3)
    for name in ("scontrol", "sacctmgr"):
        if what:
            fake.does(name, what)
        else:
            (fake.folder / name).unlink(missing_ok=True)
    assert slurm.site() == ClusterLimits()


def test_user_without_a_name_is_no_hindrance(fake: Fake, patient: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    fake.does("sacctmgr", "true")
    assert patient.site() == ClusterLimits()
