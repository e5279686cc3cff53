"""How the options of `#SBATCH` lines are parsed, and which of them cannot be honoured."""

from __future__ import annotations

import pytest

from mtui.core.directive_text import directive_word
from mtui.core.spec.sbatch_options import (
    directive_texts,
    foreign_lines,
    has_open_quote,
    long_name,
    objections,
    parse_options,
    passed_lines,
    refused,
    split_words,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--nodes=2 -n 4", ["--nodes=2", "-n", "4"]),
        ('--comment="a # b" --job-name=x#y --time=5', ["--comment=a # b", "--job-name=x"]),
        ("--comment='it is \"mine\"'", ['--comment=it is "mine"']),
        (r"--comment='a \' b'", ["--comment=a ' b"]),
        (r"--comment=a\ b\#c", ["--comment=a", "b#c"]),
        ("\t--hold\r", ["--hold"]),
        ("# only a word", []),
        ("--comment=a\u00a0b\u2028c -H", ["--comment=a\u00a0b\u2028c", "-H"]),
        ('--comment="a"\u00a0b', ["--comment=a\u00a0b"]),
        ('--comment="" --time=5', ["--comment=", "--time=5"]),
        ('--comment "" --time=5', ["--comment"]),
        (r"--nice \ --time=5", ["--nice"]),
        (r"--nice \\ --time=5", ["--nice", "\\", "--time=5"]),
        ("--nodes=1 \\", ["--nodes=1"]),
        ("", []),
    ],
)
def test_line_is_split_as_by_sbatch(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("word", ["a b", 'say "x"', "back\\slash", "a#b", "it's", "plain"])
def test_quoted_word_is_read_back_as_it_was(word: str) -> None:
    assert split_words(directive_word(word)) == [word]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("--nodes=2", [("nodes", "2")]),
        ("--nodes 2", [("nodes", "2")]),
        ("-N2", [("nodes", "2")]),
        ("-N 2", [("nodes", "2")]),
        ("-N=2", [("nodes", "=2")]),
        ("-Hn4", [("hold", ""), ("ntasks", "4")]),
        ("--exclusive -t 5", [("exclusive", ""), ("time", "5")]),
        ("--exclusive=user", [("exclusive", "user")]),
        ("--nice --qos=a=b", [("nice", ""), ("qos", "a=b")]),
        ("-k -W", [("no-kill", ""), ("wait", "")]),
        ("--comment -n", [("comment", "-n")]),
        ("--out x", [("output", "x")]),
        ("--arr=1-3", [("array", "1-3")]),
        ("--image=alpine --module none", [("image", "alpine"), ("module", "none")]),
        ("--flag -n 1", [("flag", ""), ("ntasks", "1")]),
        ("--time", [("time", "")]),
        ("hetjob", [("hetjob", "")]),
        (": -n 2", [(":", ""), ("ntasks", "2")]),
        ("-n 1 -- --time=5", [("ntasks", "1"), ("--", ""), ("--time=5", "")]),
        ("--comment -- -n 1", [("comment", "--"), ("ntasks", "1")]),
    ],
)  # fmt: skip
def test_options_are_read_as_by_getopt(text: str, options: list[tuple[str, str]]) -> None:
    assert [(option.name, option.value) for option in parse_options([text])] == options


def test_value_may_be_in_the_next_line_and_an_option_knows_its_own() -> None:
    first, second = parse_options(["-n 1 --time", "9"])
    assert (first.line, second.line, second.name, second.value) == (0, 0, "time", "9")


@pytest.mark.parametrize(
    ("given", "name"),
    [("time", "time"), ("tim", "tim"), ("time-", "time-min"), ("depend", "dependency"), ("gpus-per-n", "gpus-per-node"),
     ("gpus-p", "gpus-p"), ("nosuch", "nosuch"), ("err", "error"), ("", "")],
)  # fmt: skip
def test_abbreviation_counts_if_it_is_unambiguous(given: str, name: str) -> None:
    assert long_name(given) == name


def test_lines_end_at_the_first_command() -> None:
    script = "#!/bin/sh\n#SBATCH -n1\n# a word\n\n #SBATCH -n2\n#SBATCH--time=3\ntrue\n#SBATCH -n4"
    assert directive_texts(script) == ["-n1", "--time=3"]


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
        ("--clusters=other", "submits to another cluster", "on a login node of that cluster"),
        ("-M all", "submits to another cluster", "on a login node of that cluster"),
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
        ("-W", "has no effect: mtui waits for the job itself", "remove it"),
        ("--dependency=singleton", "does not wait", "--throttle"),
        ("-d afterok:5,singleton", "does not wait", "--throttle"),
        ("--wrap=x", "has no effect: sbatch reads it on its command line only", "remove it"),
        ("--parsable", "has no effect: sbatch reads it on its command line only", "remove it"),
        ("junk", "is no option; sbatch refuses it", "quote"),
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


def test_wait_is_not_passed_to_sbatch_and_the_rest_of_its_line_is() -> None:
    script = '#SBATCH --nodes=1  # as is\n#SBATCH --wait\n#SBATCH -n 2 -W --comment="a # b"\ntrue'
    assert passed_lines(script) == ["#SBATCH --nodes=1  # as is", '#SBATCH -n 2 "--comment=a # b"']


@pytest.mark.parametrize(
    ("text", "is_open"), [('--comment="a', True), ("'a\"", True), ('"a"', False), ("# it's", False), ("\\'", False)]
)  # fmt: skip
def test_quotation_mark_without_its_counterpart_is_found(text: str, is_open: bool) -> None:
    assert has_open_quote(text) is is_open
