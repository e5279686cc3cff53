"""Which options and lines mtui cannot honour, and what to write instead."""

from __future__ import annotations

import pytest

from mtui.core.spec.sbatch_objections import foreign_lines, objections, refused, unread_lines
from mtui.core.spec.sbatch_options import parse_options


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("--array=0-3", "'#SBATCH --array=0-3' makes an array of tasks", "'N: {range: [0, 3]}'"),
        ("-a 2-10:4%3", "'#SBATCH -a 2-10:4%3' makes an array of tasks", "'N: {range: [2, 10, 4]}'"),
        ("--arr 1,5", "'#SBATCH --arr 1,5' makes an array of tasks", "'N: {values: [1, 5], label: N.%%}'"),
        ("-a1-2,7", "makes an array of tasks", "'N: {range: [0, 3]}'"),
        ("hetjob", "makes a heterogeneous job", "write each component as a step"),
        ("packjob", "makes a heterogeneous job", "write each component as a step"),
        (": -n2", "makes a heterogeneous job", "write each component as a step"),
        ("--clusters=a,b", "submits to one of several clusters", "on a login node of the cluster that you choose"),
        ("-M all", "submits to one of several clusters", "on a login node of the cluster that you choose"),
        ("--test-only", "submits nothing", "mtui plan"),
        ("--test", "submits nothing", "mtui plan"),
        ("--uid=ada", "submits as another user", "run mtui as that user"),
        ("--gid=5", "submits as another user", "run mtui as that user"),
    ],
)
def test_option_with_which_nothing_can_be_tracked_is_refused(text: str, words: str, hint: str) -> None:
    objection = refused(parse_options([text]))
    assert objection is not None
    assert words in objection.message
    assert hint in objection.hint


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("--chdir=/tmp", "has no effect: a script runs in its workspace", "write 'cd /tmp' in cmd"),
        ("-D /tmp", "has no effect: a script runs in its workspace", "write 'cd /tmp' in cmd"),
        ("--clusters=alpha", "is checked at submission", "on a login node of that cluster"),
        ("-W", "has no effect: mtui waits for the job itself", "remove it"),
        ("--dependency=singleton", "does not wait", "--throttle"),
        ("-d afterok:5,singleton", "does not wait", "--throttle"),
        ("--wrap=x", "has no effect: sbatch reads it on its command line only", "remove it"),
        ("--parsable", "has no effect: sbatch reads it on its command line only", "remove it"),
        ("junk", "is not an option; sbatch rejects it", "quote"),
        ("--tim=5", "is ambiguous", "--time, --time-min"),
        ("-N=2", "'#SBATCH -N=2' has the value '=2', with the sign, for sbatch", "write '-N 2'"),
        ("--", "ends the options", "remove it"),
    ],
)
def test_option_without_effect_is_warned_about(text: str, words: str, hint: str) -> None:
    (objection,) = objections(parse_options([text]))
    assert not objection.refused
    assert words in objection.message
    assert hint in objection.hint


@pytest.mark.parametrize(
    "text",
    ["-N 2 -t 5", "-o x -e y -i z", "--hold --begin=now --deadline=now+1hour", "--export=NONE", "--export-file=x",
     "--get-user-env", "--signal=B:TERM@60 --no-kill --requeue --open-mode=append", "-J name", "-d afterok:5",
     "--image=alpine", "--kill-on-invalid-dep=yes", "--wait-all-nodes=1"],
)  # fmt: skip
def test_option_that_is_honoured_is_passed_in_silence(text: str) -> None:
    assert objections(parse_options([text])) == []


def test_lines_of_other_batch_systems_are_found_anywhere() -> None:
    found = foreign_lines("#PBS -l walltime=5\ntrue\n#BSUB -W 5\n#SLURM -n 1\n# PBS\n#PBSX\n#SBATCH -n1")
    assert [line.written for line in found] == ["#PBS -l walltime=5", "#BSUB -W 5", "#SLURM -n 1"]


def test_lines_of_burst_buffers_that_slurm_does_not_read_are_found() -> None:
    script = "#BB a\n #BB b\ntrue\n#DW c\n#BB a\ncat <<E\n#BB d\nE"
    assert [line.written for line in unread_lines(script)] == ["#BB b", "#DW c", "#BB a"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("#PBS -l walltime=01:00:00", "write '#SBATCH --time=01:00:00'"),
        ("#PBS -l walltime=600", "write it as a #SBATCH line"),
        ("#PBS -q debug", "write '#SBATCH --partition=debug'"),
        ("#PBS -A m1", "write '#SBATCH --account=m1'"),
        ("#PBS -l nodes=2:ppn=4", "write it as a #SBATCH line"),
        ("#PBS", "write it as a #SBATCH line"),
        ("#BSUB -W 1:30", "write '#SBATCH --time=1:30:00'"),
        ("#BSUB -W 90", "write '#SBATCH --time=90'"),
        ("#BSUB -n8", "write '#SBATCH --ntasks=8'"),
        ("#BSUB -J name", "write it as a #SBATCH line"),
        ("#SLURM -n 1", "write '#SBATCH -n 1'"),
    ],
)
def test_line_of_another_batch_system_is_translated_if_that_is_simple(line: str, hint: str) -> None:
    assert foreign_lines(line)[0].hint == hint
