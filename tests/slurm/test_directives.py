"""`#SBATCH` lines in a step's cmd: read as sbatch reads them, and honoured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtui.core.spec.sbatch_options import parse_options, split_words
from tests import mtui
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

from .test_studies import SHARED, run_study, step

_KINDS = {"requires an argument": "value", "doesn't allow an argument": "flag"}


def sbatch(slurm: Cluster, tmp_path: Path, *options: str, head: str = "") -> str:
    """What sbatch prints about a script with these lines; nothing is submitted."""
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\n{head}\ntrue\n")
    done = slurm.run("sbatch", "--test-only", *options, str(script), check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    ["--nodes=2 -n 4", '--comment="a # b" --job-name=x#y --time=5', "--comment='it is \"mine\"' -N1",
     r"--comment='a \' b'", r"--comment=a\#c", "--time 6 # a word", '--comment="" -N1 "" -n 1', "--exclusive -t 5",
     r"--comment=a\\ -n1", "-N1 \\"],
)  # fmt: skip
def test_words_of_a_line_are_those_that_sbatch_finds(slurm: Cluster, tmp_path: Path, line: str) -> None:
    said = sbatch(slurm, tmp_path, "-vvv", head=f"#SBATCH {line}")
    assert re.findall(r'Found in script, argument "(.*)"', said) == split_words(line)


def test_options_take_values_as_in_sbatch(slurm: Cluster, tmp_path: Path) -> None:
    names = re.findall(r"^.{6}--([a-z-]+)", slurm.run("sbatch", "--help").stdout, re.MULTILINE)
    assert len(names) > 80
    wrong: dict[str, str] = {}
    for name in set(names) - {"help", "usage", "version"}:
        said = sbatch(slurm, tmp_path, f"--{name}=1") + slurm.run("sbatch", f"--{name}", check=False).stderr
        if "unrecognized option" in said:
            continue  # an old one that the help still shows
        kind = next((kind for words, kind in _KINDS.items() if f"--{name}' {words}" in said), "optional")
        with_value, alone = parse_options([f"--{name} -n"]), parse_options([f"--{name} x"])
        if (with_value[0].value == "-n", alone[0].value == "x") != ((kind == "value",) * 2):
            wrong[name] = kind
    assert not wrong


def test_output_is_found_wherever_its_author_put_it(slurm: Cluster, tmp_path: Path) -> None:
    head = f"#SBATCH --output=%x.%j.%N.log\n#SBATCH --job-name=mine\n#SBATCH -e {tmp_path}/err-%A.txt"
    steps = step("a", "echo out $SLURM_JOB_NAME\necho err >&2", head=head)
    code, out = run_study(slurm, tmp_path, steps)
    assert code == 0
    assert mtui.run("log", out, "a").stdout == "out mine\n"
    assert mtui.run("log", "--stderr", out, "a").stdout == "err\n"
    job = mtui.instance(out, "a")["job"]
    (log,) = (out / "a").glob(f"*mine.{job}.*.log")
    assert (out / "a" / "a.out").readlink() == Path(log.name)
    assert (tmp_path / f"err-{job}.txt").read_text() == "err\n"


def test_output_of_each_attempt_is_kept(slurm: Cluster, tmp_path: Path) -> None:
    cmd = "echo $SLURM_JOB_ID\ntest -e ../again || { touch ../again; exit 3; }"
    retry = "mtui: {steps: {a: {retry: {FAILED: 1}}}}\n"
    code, out = run_study(slurm, tmp_path, step("a", cmd, head="#SBATCH --output=%j.log") + retry)
    assert code == 0
    first, second = (mtui.run("log", "--attempt", str(number), out, "a").stdout for number in (1, 2))
    assert (out / "a" / f"{first.strip()}.log").read_text() == first != second


def test_missing_output_names_the_authors_option(slurm: Cluster, tmp_path: Path) -> None:
    code, out = run_study(slurm, tmp_path, step("a", "echo", head="#SBATCH --output=/dev/null"))
    assert code == 0
    assert "--output=/dev/null" in mtui.run("log", out, "a").stderr


def test_wait_does_not_block_and_input_is_read(slurm: Cluster, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("from a file\n")
    go = tmp_path / "go"
    cmd = f"cat\nwhile [ ! -e {go} ]; do sleep 0.1; done"
    head = f"#SBATCH --wait\n#SBATCH --input={tmp_path / 'input'} -W --quiet"
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", cmd, head=head), batch=SHARED)
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted")  # sbatch has answered, while the job waits for us
    go.touch()
    assert driver.wait() == 0
    assert (tmp_path / "out" / "a" / "a.out").read_text() == "from a file\n"


def test_nodes_of_the_author_are_not_reduced_to_the_tasks_of_the_step(slurm: Cluster, tmp_path: Path) -> None:
    where = 'nodes: 1, procs: 1, walltime: "5"'
    code, out = run_study(slurm, tmp_path, step("a", "echo $SLURM_NNODES", head="#SBATCH --nodes=2", where=where))
    assert code == 0
    assert (out / "a" / "a.out").read_text() == "2\n"


@pytest.mark.parametrize("export", ["NONE", "SEEN=1", "ALL"])
def test_export_means_what_it_means_to_sbatch(slurm: Cluster, tmp_path: Path, export: str) -> None:
    spec = mtui.write_study(
        tmp_path / "s.yaml", step("a", "echo $SEEN-$HIDDEN", head=f"#SBATCH --export={export}"), batch=SHARED
    )
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env={**slurm.env, "HIDDEN": "2"})
    assert done.returncode == 0, done.stdout + done.stderr
    said = (tmp_path / "out" / "a" / "a.out").read_text()
    assert said == {"NONE": "-\n", "SEEN=1": "1-\n", "ALL": "-2\n"}[export]


def test_array_of_the_author_is_refused_before_anything_is_submitted(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true", head="#SBATCH --array=0-3"), batch=SHARED)
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=slurm.env)
    assert done.returncode == 2
    assert "makes an array of tasks" in done.stderr
    assert "'N: {range: [0, 3]}'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_cluster_of_the_author_is_honoured_if_it_is_this_one(slurm: Cluster, tmp_path: Path) -> None:
    here = slurm.run("scontrol", "show", "config").stdout
    name = re.findall(r"^ClusterName\s*= (\S+)", here, re.MULTILINE)[0]
    code, out = run_study(slurm, tmp_path, step("a", "echo ran", head=f"#SBATCH --clusters={name}"))
    assert (code, (out / "a" / "a.out").read_text()) == (0, "ran\n")
    spec = mtui.write_study(tmp_path / "b.yaml", step("a", "true", head="#SBATCH --clusters=other"), batch=SHARED)
    done = mtui.run("--no-ui", "-o", tmp_path / "other", spec, env=slurm.env)
    assert "its --clusters names other, but sbatch submits to" in done.stdout


def test_script_that_was_given_an_array_later_is_refused(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true"), batch=SHARED)
    out = tmp_path / "out"
    assert mtui.run("--dry", "-o", out, spec, env=slurm.env).returncode == 0
    study = out / ".mtui" / "study.json"
    study.write_text(study.read_text().replace('"true\\n"', '"#SBATCH --array=0-3\\ntrue\\n"'))
    done = mtui.run("--no-ui", "-y", out, env=slurm.env)
    assert "refused: '#SBATCH --array=0-3' makes an array of tasks" in done.stdout


def test_held_job_of_the_author_waits_for_its_release(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true", head="#SBATCH -H --begin=now"), batch=SHARED)
    driver = mtui.Driver("-s", "1", "-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    job = driver.wait_for("submitted")[0]["job"]
    wait_until(
        lambda: "JobHeldUser" in slurm.run("squeue", "--noheader", "-j", job, "--format=%r").stdout, 20, "it is held"
    )
    slurm.run("scontrol", "release", job)
    assert driver.wait() == 0


@pytest.mark.parametrize("option", ["--clusters=other", "-W", "--test-only", "--uid=1"])
def test_driver_in_a_job_is_not_submitted_with_what_makes_it_another_job(
    slurm: Cluster, tmp_path: Path, option: str
) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true"), batch=SHARED)
    done = mtui.run("submit", "-o", tmp_path / "out", spec, option, env=slurm.env)
    assert done.returncode == 2
    assert f"mtui submit cannot use '{option}'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_options_of_a_driver_in_a_job_may_have_blanks(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true"), batch=SHARED)
    words = ("--comment", "two words", "--partition", "shared", "--hold")
    done = mtui.run("submit", "-o", tmp_path / "out", spec, *words, env=slurm.env)
    assert done.returncode == 0, done.stderr
    shown = slurm.run("squeue", "--noheader", "--states=all", "--format=%P|%k|%r").stdout
    assert "shared|two words|JobHeldUser" in shown
    slurm.cancel_all()
