"""YAML as Maestro's loader reads it, with the place of each value, and no file that brings us down."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml

from mtui.core.spec import Problems, SpecError, yaml_tree
from mtui.core.spec.fields import plain
from mtui.core.spec.study_parser import load_study, parse_study
from mtui.core.spec.yaml_tree import Mapping, Scalar, read_tree
from tests.unit.planning import HEAD, problem_lines

STUDY = HEAD + "study:\n- {name: a, description: d, run: {cmd: x}}\n"


def tree_of(text: str) -> Mapping:
    problems = Problems("study.yaml")
    tree = read_tree(text, problems)
    assert isinstance(tree, Mapping)
    assert problems.found == []
    return tree


@pytest.mark.parametrize(
    "written",
    ["yes", "off", "010", "0x1F", "0b11", "1_000", "1e5", "1e-7", "1.0e-7", "1.50", ".5", ".inf", "2020-01-01", "~", "",
     "null", "'1'",
     "00:10:00", "0o17", "a:b", "[1, 'b']", "{k: 1.0}", "!!str 5", "!!float 1", "+1", "2001-12-14 21:59:43Z"],
)  # fmt: skip
def test_values_mean_what_pyyaml_makes_of_them(written: str) -> None:
    text = f"key: {written}\n"
    assert str(plain(tree_of(text).entries["key"])) == str(yaml.load(text, yaml.FullLoader)["key"])


@pytest.mark.parametrize("written", ["1:30:00", "10:00", "1:30.5", "-1:30"])
def test_times_stay_text(written: str) -> None:
    value = tree_of(f"key: {written}\n").entries["key"]
    assert isinstance(value, Scalar)
    assert (value.value, value.clock) == (written, True)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_change_nothing(tmp_path: Path, line_end: str, mark: str) -> None:
    text = HEAD + "study:\n- name: a\n  description: d\n  run:\n    cmd: |\n      one\n      $(TWO)\n"
    path = tmp_path / "study.yaml"
    path.write_bytes((mark + text).replace("\n", line_end).encode())
    study, _ = load_study(path)
    assert study.steps[0].cmd == "one\n$(TWO)\n"


def test_places_are_those_of_the_file_with_a_byte_order_mark() -> None:
    assert problem_lines("\ufeff" + HEAD + "study: [{name: a, description: d, run: {cmd: $(A B) $(AB)}}]\n") == [
        "2:53: warning: step 'a': nothing replaces $(AB); it is left unchanged"
    ]


MERGES = """\
one: &one {aa: 1, bb: 1}
two: &two {bb: 2, cc: 2}
nested: &nested {<<: *two, dd: 3}
own: {<<: *one, aa: own}
twice: {<<: *one, <<: *two}
deep: {xx: x, <<: *nested, bb: own}
list: {<<: [*one, *two]}
"""


def test_merge_keys_give_what_pyyaml_gives() -> None:
    text = MERGES.partition("list:")[0]
    ours, theirs = plain(tree_of(text)), yaml.safe_load(text)
    assert isinstance(ours, dict)
    assert ours == theirs
    assert [list(value) for value in ours.values()] == [list(value) for value in theirs.values()]


def test_the_first_of_a_list_of_merges_wins() -> None:
    """As YAML has it, and PyYAML but for 6.0.4: https://github.com/yaml/pyyaml/issues/953."""
    ours = plain(tree_of(MERGES))
    assert isinstance(ours, dict)
    assert ours["list"] == {"aa": 1, "bb": 1, "cc": 2}


def test_a_key_over_a_merged_one_is_no_doubt() -> None:
    assert problem_lines(
        HEAD + "study:\n- {name: a, description: d, run: &r {cmd: x, gpus: 1}}\n"
        "- {name: b, description: d, run: {<<: *r, gpus: 2}}\n"
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected", "hint"),
    [
        (HEAD + "study:\n\t- name: a\n", "3:1: YAML syntax: found character", "spaces only"),
        ("a: %x\n", "1:4: YAML syntax: found character", "in quotes"),
        ("study:\n- name: a: b\n", "2:10: YAML syntax: mapping values are not allowed", "in quotes"),
        (STUDY + "---\n" + STUDY, "4:1: YAML syntax: but found another document", "remove the '---' line"),
        ("a: [1\nb: 2\n", "2:2: YAML syntax: ", ""),
        ('a:\n  b: "open\n  c: d\n  e: "f"\n', "4:7: YAML syntax: did not find expected key", "above, from line 2 on"),
        ("a:\n  b:\n    cmd: |\n      one\n  two\n    c: d\n", "6:6: YAML syntax: could not find", "line 5 is read"),
        ("a: *b\n", "1:4: YAML syntax: found undefined alias", ""),
        ("a: b\nc: d\x07\n", "2:5: not YAML text: it holds the control character '\\x07'", ""),
        ("a: é\n\0", "2:1: not YAML text: it holds the control character '\\x00'", ""),
        ("a: !!bool maybe\n" + STUDY, "1:4: 'maybe' cannot be read: it does not match its YAML tag", "in quotes"),
        ("a: !!timestamp now\n" + STUDY, "1:4: 'now' cannot be read: it does not match its YAML tag", "in quotes"),
        ("a: !!int ''\n" + STUDY, "1:4: '' cannot be read: it does not match its YAML tag", "in quotes"),
        ("a: 2020-13-45\n" + STUDY, "1:4: '2020-13-45' cannot be read: month must be in 1..12", "in quotes"),
        (f"a: 0x{'f' * 6000}\n" + STUDY, f"1:4: '0x{'f' * 58}...' cannot be read: Exceeds the limit", "in quotes"),
        ("a: !thing x\n" + STUDY, "1:4: the YAML tag '!thing' has no meaning in a study", ""),
        ("a: {[b]: c}\n" + STUDY, "1:5: a key must be one word or text, not a list or mapping", ""),
        ("a: {<<: b}\n" + STUDY, "1:9: the YAML merge key '<<' takes a mapping, but this is text", ""),
        ("a: &a [*a]\n" + STUDY, "1:4: an alias that contains itself, or nesting that is too deep", ""),
        ("a: " + "[" * 70 + "]" * 70 + "\n" + STUDY, "1:64: an alias that contains itself, or nesting", ""),
    ],
    ids=lambda value: value[:24],
)  # fmt: skip
def test_what_is_no_yaml_is_reported_at_its_place(text: str, expected: str, hint: str) -> None:
    (problem,) = _refused(text)
    message = problem.text("").removeprefix(":")
    assert message.startswith(expected)
    assert hint in message


@pytest.mark.parametrize("level", ["[", "{b: ", "- "])
@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_endless_nesting_is_reported_at_a_place(level: str, depth: int) -> None:
    """Where, and by whom it is found, depends on the release of libyaml."""
    (problem,) = _refused("a:\n " + level * depth)
    assert problem.place.line == 2
    assert problem.message == "nested too deeply to be a study"


@pytest.mark.parametrize("form", ["a{0}: &a{0} [{1}]\n", "a{0}: &a{0}\n  <<: [{1}]\n"], ids=["lists", "merges"])
def test_aliases_that_unfold_into_millions_are_refused(form: str) -> None:
    first = "a0: &a0 {x: 1, y: 2}\n"
    text = first + "".join(form.format(n, ", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 15))
    assert [problem.message for problem in _refused(text + STUDY)] == [
        "aliases repeat values more than 1,000,000 times"
    ]


def test_a_file_of_many_values_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "_MAX_SIZE", 1000)
    assert len(tree_of("a: [" + "1, " * 5000 + "]\n").entries) == 1


@pytest.mark.parametrize("head", ["#!/bin/bash", "#!/usr/bin/env python3", "#!/bin/sh -e"])
def test_a_script_is_no_study(head: str) -> None:
    (problem,) = _refused(f"{head}\n#SBATCH -N 1\nfor i in 1 2: do\n")
    assert problem.message == "this is a script; a study file is YAML with 'description' and 'study'"
    assert problem.place.line == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_reported_as_such(text: str) -> None:
    assert [problem.message for problem in _refused(text)] == [
        "the file is empty: a study needs 'description' and 'study'"
    ]


def _refused(text: str) -> list:
    with pytest.raises(SpecError) as caught:
        parse_study(text, Problems("study.yaml"))
    return caught.value.problems


def test_files_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("description: größe".encode("latin-1"))
    for name, message in (
        ("none.yaml", "no such file"),
        (".", "this is a directory, not a study file"),
        ("latin.yaml", "not UTF-8 text (byte 15), as a study file must be"),
    ):
        with pytest.raises(SpecError) as caught:
            load_study(tmp_path / name)
        assert [problem.message for problem in caught.value.problems] == [message]


def test_dates_are_named_as_dates() -> None:
    value = tree_of("a: 2020-01-02\n").entries["a"]
    assert isinstance(value, Scalar)
    assert value.value == datetime.date(2020, 1, 2)
    assert problem_lines(HEAD + "study:\n- {name: 2020-01-02, description: !!binary Zm9v, run: {cmd: x}}\n") == [
        "3:10: step 1: 'name' must be text, but is a date",
        "3:35: step 1: 'description' must be text, but is a value with a YAML tag",
    ]
