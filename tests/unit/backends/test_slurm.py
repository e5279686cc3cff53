"""Slurm's programs are called right, and whatever they do comes out as an answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtui.core.backends.backend import Accepted, Deferred, JobIdentity, Refused, Unclear
from mtui.core.backends.slurm import Slurm
from mtui.core.backends.slurm_programs import job_has_ended, require_slurm
from mtui.core.backends.slurm_text import SlurmView, Unobserved, parse_squeue
from mtui.core.errors import BackendMissing
from tests.unit.backends.fake import Fake

TAG = "mt.x.1-1:"


def ours(*jobs: object) -> list[JobIdentity]:
    """Jobs of one submission."""
    return [JobIdentity(str(job), TAG) for job in jobs]


def lists(*jobs: object) -> str:
    """A squeue that shows these jobs of that submission as running."""
    return "\n".join(f"echo '{job}|RUNNING|None|n1|normal,m1|{TAG}a'" for job in jobs)


GARBAGE = r"printf '\377\376\000|\001\n'"
HANG = "exec sleep 60"


# --- submitting


def test_job_is_handed_over_with_its_name_place_and_directives(fake: Fake, patient: Slurm) -> None:
    fake.does("sbatch", f"cat > '{fake.notes}.script'\necho 12")
    assert patient.submit(fake.job()) == Accepted("12")
    assert fake.said("sbatch") == ["--parsable --job-name=mt.x.1-1:a --chdir=/w d"]
    script = Path(f"{fake.notes}.script").read_text()
    assert "#SBATCH --time=5" in script
    assert "set -- 0.1 /h '/w d'" in script


@pytest.mark.parametrize(("here", "kind"), [("alpha", Accepted), ("beta", Refused), ("", Deferred)])
def test_job_is_submitted_on_the_cluster_that_it_names_only(
    fake: Fake, patient: Slurm, here: str, kind: type[Any]
) -> None:
    fake.script.write_text("#!/bin/sh\n#SBATCH -M alpha\n")
    fake.does("sbatch", f"cat > '{fake.notes}.script'\necho 12")
    fake.does("scontrol", f"echo 'ClusterName = {here}'" if here else "exit 1")
    answer = patient.submit(fake.job())
    assert isinstance(answer, kind)
    if kind is Accepted:
        assert "alpha" not in Path(f"{fake.notes}.script").read_text()
    else:
        assert "alpha" in str(answer)
        assert fake.said("sbatch") == []


RESTRICTED = 'case "$*" in *--all*) echo "rc-squeue: error: unrecognized arguments: --all" >&2; exit 2;; esac\n'


def test_squeue_that_refuses_all_is_queried_without_it_from_then_on(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", RESTRICTED + lists(1))
    for _ in range(2):
        view = patient.look(ours(1))
        assert isinstance(view, SlurmView)
        assert list(view.jobs) == ["1"]
    assert ["--all" in line for line in fake.said("squeue")] == [True, False, False]


def test_squeue_without_the_controller_is_queried_once(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    assert isinstance(patient.look(ours(1)), Unobserved)
    assert len(fake.said("squeue")) == 1


def test_bytes_of_the_users_directives_arrive_as_they_are(fake: Fake, patient: Slurm) -> None:
    fake.script.write_bytes(b"#!/bin/sh\n#SBATCH --comment=\xe9\xc3\xa9\n")
    fake.does("sbatch", f"cat > '{fake.notes}.script'\necho 12")
    patient.submit(fake.job())
    assert b"#SBATCH --comment=\xe9\xc3\xa9\n" in Path(f"{fake.notes}.script").read_bytes()


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (
            "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; exit 1",
            Unclear,
        ),
        ("echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1", Deferred),
        ("echo 'sbatch: error: invalid partition specified: x' >&2; exit 1", Refused),
        ("kill -9 $$", Unclear),
        ("exit 0", Unclear),
        (GARBAGE, Unclear),
        (f"{GARBAGE} >&2; exit 0", Unclear),
    ],
    ids=["timed out", "limit", "refused", "killed", "nothing", "garbage", "garbage as error"],
)
def test_each_end_of_sbatch_is_an_answer(fake: Fake, patient: Slurm, what: str, kind: type) -> None:
    fake.does("sbatch", what)
    answer = patient.submit(fake.job())
    assert isinstance(answer, kind)
    assert not isinstance(answer, Accepted)
    assert answer.message


def test_unknown_error_of_a_job_is_a_refusal_after_a_few_tries(fake: Fake, patient: Slurm) -> None:
    fake.does("sbatch", "echo 'sbatch: error: Batch job submission failed: Unspecified error' >&2; exit 1")
    answers = [patient.submit(fake.job()) for _ in range(5)]
    assert [type(answer) for answer in answers] == [Deferred, Deferred, Deferred, Refused, Deferred]
    assert "4 tries" in str(answers[3])


def test_sbatch_that_hangs_is_unclear(fake: Fake, slurm: Slurm) -> None:
    fake.does("sbatch", HANG)
    assert slurm.submit(fake.job()) == Unclear("sbatch did not answer within 0 s")


def test_sbatch_that_answers_and_does_not_read_its_script_is_believed(fake: Fake, patient: Slurm) -> None:
    fake.script.write_text("#!/bin/sh\n" + "#SBATCH --comment=long\n" * 20_000)
    fake.does("sbatch", "echo 12")
    assert patient.submit(fake.job()) == Accepted("12")


def test_sbatch_that_cannot_be_started_took_nothing(fake: Fake, patient: Slurm) -> None:
    (fake.folder / "sbatch").unlink()
    assert isinstance(patient.submit(fake.job()), Deferred)


def test_submission_without_its_script_is_put_off_and_sbatch_not_called(fake: Fake, patient: Slurm) -> None:
    fake.script.unlink()
    assert isinstance(patient.submit(fake.job()), Deferred)
    assert fake.said("sbatch") == []


# --- looking

SQUEUE = "echo '12|RUNNING|None|n1|normal|mt.x.1-1:a'"


def test_look_asks_once_for_all_and_sacct_only_for_what_is_missing(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", SQUEUE)
    fake.does("sacct", "echo '13|TIMEOUT|0:0|n2|mt.x.1-1:b'")
    view = patient.look(ours("12", "13"), [])
    assert isinstance(view, SlurmView)
    assert (view.jobs["12"].state, view.accounted["13"].state, view.accounting) == ("RUNNING", "TIMEOUT", True)
    assert len(fake.said("squeue")) == 1
    (asked,) = fake.said("sacct")
    assert "--jobs=13 --starttime=" in asked


def test_sacct_is_left_alone_when_squeue_lists_everything(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", SQUEUE)
    view = patient.look(ours("12"), ["mt.x.1-1:a"])
    assert isinstance(view, SlurmView)
    assert view.accounting
    assert fake.said("sacct") == []


def test_submission_that_squeue_lacks_is_looked_up_by_name(fake: Fake, patient: Slurm) -> None:
    fake.does("sacct", "echo '12|COMPLETED|0:0|n1|mt.x.1-1:a'")
    view = patient.look([], ["mt.x.1-1:a", "mt.x.1-2:b"])
    assert isinstance(view, SlurmView)
    assert view.accounted["12"].name == "mt.x.1-1:a"
    (asked,) = fake.said("sacct")
    assert "--name=mt.x.1-1:a,mt.x.1-2:b --starttime=" in asked


def test_very_many_jobs_are_queried_in_parts(fake: Fake, patient: Slurm) -> None:
    view = patient.look(ours(*range(1201)))
    assert isinstance(view, SlurmView)
    assert [asked.count(",") for asked in fake.said("sacct") if "--jobs=" in asked] == [499 + 5, 499 + 5, 200 + 5]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1", "Unable to contact slurm controller"),
        ("exit 7", "squeue: code 7"),
        ("kill -9 $$", "squeue: code -9"),
        (f"{GARBAGE} >&2; exit 1", "\ufffd\ufffd"),
    ],
    ids=["error", "silent error", "killed", "garbage"],
)
def test_squeue_that_fails_observed_nothing(fake: Fake, patient: Slurm, what: str, message: str) -> None:
    fake.does("squeue", what)
    view = patient.look(ours("12"))
    assert isinstance(view, Unobserved)
    assert view.message.startswith(message)
    assert fake.said("sacct") == []


def test_squeue_that_hangs_or_is_gone_observed_nothing(fake: Fake, slurm: Slurm) -> None:
    fake.does("squeue", HANG)
    assert slurm.look(ours(12)) == Unobserved("squeue did not answer within 0 s")
    (fake.folder / "squeue").unlink()
    assert slurm.look(ours(12)) == Unobserved("squeue could not be started: No such file or directory")


@pytest.mark.parametrize("what", ["true", GARBAGE], ids=["empty", "garbage"])
def test_squeue_that_lists_nothing_leaves_it_to_sacct(fake: Fake, patient: Slurm, what: str) -> None:
    fake.does("squeue", what)
    fake.does("sacct", "echo '12|RUNNING|0:0|n1|mt.x.1-1:a'")
    view = patient.look(ours("12"))
    assert isinstance(view, SlurmView)
    assert (dict(view.jobs), list(view.accounted), view.accounting) == ({}, ["12"], True)


@pytest.mark.parametrize("what", ["exit 1", HANG, ""], ids=["error", "hang", "gone"])
def test_failing_sacct_is_reported(fake: Fake, patient: Slurm, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    run = Slurm._run

    def hurry(slurm: Slurm, command: Sequence[str], deadline: float, *more: Any) -> Any:
        """The fake squeue answers, and has the time that a busy machine takes."""
        return run(slurm, command, 0.3 if command[0] == "sacct" and what == HANG else deadline, *more)

    monkeypatch.setattr(Slurm, "_run", hurry)
    if what:
        fake.does("sacct", what)
    else:
        (fake.folder / "sacct").unlink()
    view = patient.look(ours("12"))
    assert isinstance(view, SlurmView)
    assert (dict(view.accounted), view.accounting) == ({}, False)


# --- cancelling


def test_jobs_are_cancelled_in_one_call(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", lists(1, 2))
    assert patient.cancel(ours(1, 2)) == ""
    assert fake.said("scancel") == ["1 2"]
    assert patient.cancel([]) == ""
    assert (fake.said("scancel"), len(fake.said("squeue"))) == (["1 2"], 1)


def test_another_job_with_the_id_is_not_cancelled(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", lists(1) + "; echo '2|RUNNING|None|n1|q|mt.x.1-10:a'; echo '3|PENDING|None||q|mine'")
    assert patient.cancel(ours(1, 2, 3)) == ""
    assert fake.said("scancel") == ["1"]
    assert patient.cancel(ours(2)) == ""
    assert fake.said("scancel") == ["1"]


def test_ended_job_is_not_cancelled(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", "echo '1|COMPLETED|None|n1|q|mt.x.1-1:a'")
    assert patient.cancel(ours(1)) == ""
    assert fake.said("scancel") == []


def test_tasks_of_an_array_are_cancelled_alone_or_all_together(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", "echo '9_[1-3]|PENDING|Priority||q|mt.x.1-1:a'; echo '9_0|RUNNING|None|n1|q|mt.x.1-1:a'")
    assert patient.cancel(ours("9_0", "9_2")) == ""
    assert patient.cancel(ours("9")) == ""
    assert fake.said("scancel") == ["9_0 9_2", "9"]


def test_job_that_squeue_does_not_show_counts_as_not_cancelled(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", lists(1))
    assert patient.cancel(ours(1, 2)) == "squeue does not show job 2"
    fake.does("squeue", "echo 'squeue: error: away' >&2; exit 1")
    assert patient.cancel(ours(1)) == "away"
    assert fake.said("scancel") == ["1"]


def test_jobs_beyond_a_failure_are_still_cancelled(fake: Fake, patient: Slurm) -> None:
    fake.does("scancel", 'case "$1" in 0) echo "scancel: error: no such job" >&2; exit 1;; esac')
    fake.does("squeue", lists(*range(600)))
    assert patient.cancel(ours(*range(600))) == "scancel: error: no such job"
    assert [said.split()[0] for said in fake.said("scancel")] == ["0", "500"]


@pytest.mark.parametrize("what", ["exit 8", "kill -9 $$", HANG, ""], ids=["silent", "killed", "hang", "gone"])
def test_cancel_that_was_not_taken_has_a_message(
    fake: Fake, slurm: Slurm, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(Slurm, "_squeue", lambda _: parse_squeue(f"1|RUNNING|None|n1|q|{TAG}a"))
    if what:
        fake.does("scancel", what)
    else:
        (fake.folder / "scancel").unlink()
    assert "scancel" in slurm.cancel(ours(1))


# --- the driver's own job


@pytest.mark.parametrize(
    ("squeue", "ended"),
    [
        ("echo RUNNING", False),
        ("echo COMPLETING", False),
        ("echo TIMEOUT", True),
        ("echo NODE_FAIL", True),
        ("true", False),
        (GARBAGE, False),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", False),
        ("echo TIMEOUT; exit 1", False),
    ],
    ids=["runs", "ends", "over", "node failed", "nothing", "garbage", "unknown here", "error"],
)
def test_drivers_job_has_ended_only_if_slurm_says_so(fake: Fake, squeue: str, ended: bool) -> None:
    fake.does("squeue", squeue)
    assert job_has_ended("12") is ended
    assert "--jobs=12" in fake.said("squeue")[0]


@pytest.mark.parametrize(
    ("name", "cluster", "ended"),
    [("mtui:s", "alpha", True), ("", "", True), ("mtui:s", "", True), ("other", "alpha", False), ("", "beta", False)],
)
def test_drivers_job_is_known_by_name_and_cluster_too(fake: Fake, name: str, cluster: str, ended: bool) -> None:
    fake.does("squeue", "echo 'TIMEOUT|mtui:s'")
    fake.does("scontrol", "echo 'ClusterName             = alpha'")
    assert job_has_ended("12", name, cluster) is ended


def test_cluster_is_queried_until_it_is_known(fake: Fake, patient: Slurm) -> None:
    fake.does("scontrol", "exit 1")
    assert patient.cluster() == ""
    fake.does("scontrol", "echo 'ClusterName             = alpha'")
    assert [patient.cluster(), patient.cluster()] == ["alpha", "alpha"]
    assert fake.said("scontrol").count("show config") == 2


# --- the log of calls


CALL = "sbatch --parsable --job-name=mt.x.1-1:a '--chdir=/w d' < "


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("echo 12", "12"),
        ("echo '12;cluster'; echo 'sbatch: be nice' >&2", "12;cluster"),
        ("", "exit code 0, no job id"),
        ("printf '\\n sbatch: error: No\\033[2J\\nmore\\n' >&2; exit 1", "exit code 1: sbatch: error: No?[2J"),
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_every_submission_is_logged_with_its_answer(fake: Fake, patient: Slurm, what: str, answer: str) -> None:
    fake.does("sbatch", what)
    patient.submit(fake.job())
    assert fake.logged() == [f"{CALL}{fake.script} -> {answer}"]
    head, line = fake.log.read_text().splitlines()
    assert head.startswith("# ")
    time.strptime(line[:20], "%Y-%m-%d %H:%M:%S ")


def test_calls_without_an_answer_are_logged(fake: Fake, slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = f"12|RUNNING|None|n1|q|{TAG}a\n13|RUNNING|None|n1|q|{TAG}a"
    monkeypatch.setattr(Slurm, "_squeue", lambda _: parse_squeue(lines))
    fake.does("sbatch", HANG)
    fake.does("scancel", HANG)
    slurm.submit(fake.job())
    slurm.cancel(ours(12))
    (fake.folder / "scancel").unlink()
    slurm.cancel(ours(13))
    assert fake.logged() == [
        f"{CALL}{fake.script} -> no answer in 0 s",
        "scancel 12 -> no answer in 0 s",
        "scancel 13 -> could not be started: No such file or directory",
    ]


def test_cancels_are_logged_and_questions_only_if_they_fail(fake: Fake, patient: Slurm) -> None:
    fake.does("squeue", lists("12", "13_1"))
    patient.look(ours("12"))
    patient.cancel(ours("12", "13_1"))
    fake.does("squeue", "true")
    assert fake.logged() == ["scancel 12 13_1 -> exit code 0"]
    fake.does("sacct", "echo 'sacct: error: no database' >&2; exit 1")
    patient.look(ours("12"))
    fake.does("squeue", "echo 'squeue: error: away' >&2; exit 1")
    patient.look(ours("12"))
    _, sacct, squeue = fake.logged()
    assert (sacct.split()[0], sacct.partition(" -> ")[2]) == ("sacct", "exit code 1: sacct: error: no database")
    assert (squeue.split()[0], squeue.partition(" -> ")[2]) == ("squeue", "exit code 1: squeue: error: away")


# --- where it runs


def test_missing_programs_are_named(fake: Fake) -> None:
    require_slurm()
    for name in ("sbatch", "scancel"):
        (fake.folder / name).unlink()
    with pytest.raises(BackendMissing, match=r"sbatch, scancel cannot be found") as caught:
        require_slurm()
    assert "--local" in caught.value.hint


def test_programs_without_a_cluster_are_reported(fake: Fake) -> None:
    fake.does(
        "scontrol", "echo 'resolve_ctls_from_dns_srv: fatal: Could not establish a configuration source' >&2; exit 1"
    )
    with pytest.raises(BackendMissing, match="not configured for a cluster"):
        require_slurm()


def test_configuration_that_is_not_there_is_named(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake.does("scontrol", "exit 1")  # it does not print why until it has tried for a minute
    conf = tmp_path / "slurm.conf"
    monkeypatch.setenv("SLURM_CONF", str(conf))
    with pytest.raises(BackendMissing, match=f"SLURM_CONF names a file that cannot be read: {conf}"):
        require_slurm()
    conf.touch()
    require_slurm()


@pytest.mark.parametrize("what", ["exit 1", "kill -9 $$", ""], ids=["controller away", "killed", "no scontrol"])
def test_cluster_that_is_away_for_now_is_no_hindrance(fake: Fake, what: str) -> None:
    if what:
        fake.does("scontrol", what)
    else:
        (fake.folder / "scontrol").unlink()
    require_slurm()


@pytest.mark.parametrize("version", ["slurm 20.02.7", "slurm-wlm 19.05.5", "slurm 18.08.0-0rc1"])
def test_version_that_is_too_old_is_refused_before_anything_is_submitted(fake: Fake, version: str) -> None:
    fake.does("scontrol", f'[ "$1" != --version ] || echo {version}')
    with pytest.raises(BackendMissing, match=f"too old: {version}") as caught:
        require_slurm()
    assert "20.11 or newer" in caught.value.hint


@pytest.mark.parametrize("version", ["slurm 20.11.0", "slurm-wlm 22.05.8", "slurm 26.05.5", "a wrapper of the site"])
def test_supported_and_unknown_versions_are_used(fake: Fake, version: str) -> None:
    fake.does("scontrol", f'[ "$1" != --version ] || echo {version}')
    require_slurm()
