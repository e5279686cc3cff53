"""How the options of `#SBATCH` lines are parsed, and which lines are passed on."""

from __future__ import annotations

import pytest

from mtui.core.directive_text import directive_word
from mtui.core.spec.sbatch_options import (
    burst_buffer_lines,
    directive_texts,
    has_escaped_blank,
    has_open_quote,
    long_name,
    named_cluster,
    parse_options,
    passed_lines,
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


def test_wait_is_not_passed_to_sbatch_and_the_rest_of_its_line_is() -> None:
    script = '#SBATCH --nodes=1  # as is\n#SBATCH --wait\n#SBATCH -n 2 -W --comment="a # b"\ntrue'
    assert passed_lines(script) == ["#SBATCH --nodes=1  # as is", '#SBATCH -n 2 "--comment=a # b"']


@pytest.mark.parametrize(
    ("text", "is_open"), [('--comment="a', True), ("'a\"", True), ('"a"', False), ("# it's", False), ("\\'", False)]
)  # fmt: skip
def test_quotation_mark_without_its_counterpart_is_found(text: str, is_open: bool) -> None:
    assert has_open_quote(text) is is_open


def test_named_cluster_is_not_passed_to_sbatch() -> None:
    script = "#SBATCH --clusters=alpha -n2\n#SBATCH -M alpha\n#SBATCH --mem=1M\ntrue"
    assert passed_lines(script) == ["#SBATCH -n2", "#SBATCH --mem=1M"]


@pytest.mark.parametrize(("text", "name"), [("-n1", ""), ("-M a", "a"), ("--clusters=a -Mb", "b")])
def test_cluster_is_the_last_one_that_is_named(text: str, name: str) -> None:
    assert named_cluster(parse_options([text])) == name


def test_lines_of_burst_buffers_end_at_the_first_command() -> None:
    script = "#!/bin/sh\n#SBATCH -n1\n#DW jobdw capacity=1GiB\n\n#BB_LUA a\n#BBX\n #BB c\n#BB b\ntrue\n#DW d"
    assert burst_buffer_lines(script) == ["#DW jobdw capacity=1GiB", "#BB_LUA a", "#BB b"]


@pytest.mark.parametrize(
    ("text", "is_escaped"),
    [(r"--comment=a\ b", True), (r'--comment="a\ b"', False), (r"-n1 # a\ b", False), (r"--comment=a\\ -n1", False)],
)
def test_blank_behind_a_backslash_is_found(text: str, is_escaped: bool) -> None:
    assert has_escaped_blank(text) is is_escaped
