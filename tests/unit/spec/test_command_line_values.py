"""`--params` and `--set`: what they mean, and what cannot be meant."""

from __future__ import annotations

import pytest

from mtui.core.errors import UsageError
from mtui.core.spec import Problems, SpecError
from mtui.core.spec.command_line_values import CommandLineValues, command_line_words, read_command_line_values
from mtui.core.spec.study_parser import parse_study
from tests.unit.planning import HEAD

STUDY = (
    HEAD + "env: {variables: {STEPS: 10, ROOT: /data, OUTPUT_PATH: out}, labels: {CASE: $(ROOT)/x}}\n"
    "study: [{name: a, description: d, run: {cmd: echo $(STEPS) $(ROOT) $(CASE)}}]\n"
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1,2,3", "1 2 3"),
        ("A=1", "1"),
        (" A = x , y ", "x y"),
        ("A=1..4", "1 2 3 4"),
        ("A=0..1..0.5", "0.0 0.5 1.0"),
        ("A=3..1..-1,9,0.1..0.3..0.1", "3 2 1 9 0.1 0.2 0.3"),
        ("A=-2..-1,1e-1", "-2 -1 1e-1"),
        ("A=../data,1..,a..b,1.5", "../data 1.. a..b 1.5"),
        ("A=k=v", "k=v"),
        ('A="a,b",c', "a,b c"),
    ],
)
def test_values_are_separated_by_commas_or_counted(text: str, values: str) -> None:
    assert " ".join(read_command_line_values([text], []).parameters["A"]) == values


@pytest.mark.parametrize(
    ("params", "entries", "message", "hint"),
    [
        (["A"], [], "--params 'A' is not NAME=VALUE", "--params A=1,2,3"),
        (["=1"], [], "--params '=1' is not NAME=VALUE", "--params NAME=1,2,3"),
        (["A="], [], "--params A has no value", "--params A=1,2,3"),
        (["A=1,,2"], [], "--params A: value 2 is empty", "1,2,3"),
        (["A=1,"], [], "--params A: value 2 is empty", "1,2,3"),
        (["A=1", "A=2"], [], "--params A is given twice", ""),
        (["A=5..1"], [], "--params A: steps of 1 do not reach 1 from 5", "did you mean a step of -1?"),
        (["A=1..1000000"], [], "--params A: from 1 to 1000000 there are 1,000,000 values", "at most 200,000"),
        (['A="a,b'], [], "--params A: unexpected end of data", ""),
        (["A=a\nb"], [], "--params A: ", ""),
        ([], ["B"], "--set 'B' is not NAME=VALUE", "--set B=VALUE"),
        ([], ["B="], "--set B has no value", ""),
        ([], ["B=1", "B=1"], "--set B is given twice", ""),
    ],
)
def test_invalid_value_is_refused(params: list[str], entries: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_command_line_values(params, entries)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_entry_takes_the_text_as_it_is_given() -> None:
    given = read_command_line_values([], ["STEPS=1.50", "ROOT=/a=b", "OUTPUT_PATH=/scratch"])
    study = parse_study(STUDY, Problems("study.yaml"), given)
    assert [entry.value for entry in study.environment] == ["1.50", "/a=b", "/scratch", "$(ROOT)/x"]
    assert study.output_path == "/scratch"


@pytest.mark.parametrize(("text", "raw"), [("20", 20), ("0.5", 0.5), ("020", "020"), ("1e3", "1e3"), ("nan", "nan")])
def test_a_generator_gets_numbers_as_numbers(text: str, raw: object) -> None:
    study = parse_study(STUDY, Problems("study.yaml"), CommandLineValues(entries={"STEPS": text}))
    assert repr(study.environment[0].raw) == repr(raw)


def test_an_entry_that_is_not_there_is_reported_with_the_nearest_one() -> None:
    with pytest.raises(SpecError) as caught:
        parse_study(STUDY, Problems("study.yaml"), CommandLineValues(entries={"STEP": "1", "X": "2"}))
    assert str(caught.value).split("\n") == [
        "study.yaml: --set STEP: env has no entry 'STEP'",
        "    hint: did you mean 'STEPS'?",
        "study.yaml: --set X: env has no entry 'X'",
        "    hint: known: CASE, OUTPUT_PATH, ROOT, STEPS",
    ]


def test_options_are_kept_word_by_word() -> None:
    assert command_line_words(["A=1", "B=2"], ["C=3"]) == ("--params", "A=1", "--params", "B=2", "--set", "C=3")
