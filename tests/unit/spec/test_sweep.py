"""Sweeps: what `mtui: sweep`, `mtui: parameters` and the command line make of the rows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mtui.core.spec import Problem, Problems, SpecError
from mtui.core.spec.command_line_values import NO_VALUES, CommandLineValues
from mtui.core.spec.study_parser import parse_study
from mtui.core.spec.study_spec import Parameter
from mtui.core.spec.text_files import UnreadableFile
from tests.unit.planning import HEAD

STEP = "study: [{name: a, description: d, run: {cmd: $(A) $(B) $(C)}}]\n"
A = "A: {values: [1, 2], label: A%%}"
B = "B: {values: [x, y], label: B%%}"
C = "C: {values: [p, q, r], label: C%%}"
Files = Mapping[str, str]  # text by path
ROWS = "B,C\nx,0.10\ny,0.20\nz,0.30\n"


def read(
    block: str, maestros: str = "", files: Files | None = None, given: CommandLineValues = NO_VALUES
) -> tuple[tuple[Parameter, ...], list[Problem]]:
    """The parameters of a study with these blocks (none if it is refused), and all that is said of it."""

    def read_text(path: str, what: str) -> str | UnreadableFile:
        assert what == "a CSV file"
        return (files or {}).get(path) or UnreadableFile("no such file")

    text = HEAD + STEP + (f"global.parameters: {{{maestros}}}\n" if maestros else "") + f"mtui: {{{block}}}\n"
    problems = Problems("specs/study.yaml")
    try:
        study = parse_study(text, problems, given, read_text)
    except SpecError as error:
        return (), error.problems
    return study.parameters, problems.warnings


def rows(parameters: tuple[Parameter, ...]) -> list[str]:
    return [" ".join(row) for row in zip(*(parameter.values for parameter in parameters), strict=True)]


def rows_of(
    block: str, maestros: str = "", files: Mapping[str, str] | None = None, **given: tuple[str, ...]
) -> list[str]:
    parameters, problems = read(block, maestros, files, CommandLineValues(given))
    assert problems == []
    return rows(parameters)


def problem_lines(
    block: str, maestros: str = "", files: Mapping[str, str] | None = None, given: CommandLineValues = NO_VALUES
) -> list[str]:
    _, problems = read(block, maestros, files, given)
    return [problem.text("").removeprefix(": ").removeprefix(":").replace("\n    hint", "") for problem in problems]


# --- how lists are combined


def test_product_is_all_combinations_the_last_parameter_fastest() -> None:
    assert rows_of("sweep: product", f"{A}, {B}") == ["1 x", "1 y", "2 x", "2 y"]


@pytest.mark.parametrize("block", ["", "sweep: zip", "sweep: {zip: [[A, B]]}"])
def test_without_a_product_value_i_of_all_makes_row_i(block: str) -> None:
    assert rows_of(block, f"{A}, {B}") == ["1 x", "2 y"]


@pytest.mark.parametrize("groups", ["[[A, B], [C]]", "[[B, A]]", "[[C], [A, B]]"])
def test_groups_are_multiplied_in_file_order_however_they_are_written(groups: str) -> None:
    lists = "A: {values: [1, 2]}, C: {values: [p, q, r]}, B: {values: [x, y]}"
    assert rows_of(f"sweep: {{zip: {groups}}}, parameters: {{{lists}}}") == [
        "1 p x", "1 q x", "1 r x", "2 p y", "2 q y", "2 r y",
    ]  # fmt: skip


def test_labels_go_with_their_values() -> None:
    parameters, _ = read("sweep: product, parameters: {C: {range: [1, 2]}}", A)
    assert [parameter.labels for parameter in parameters] == [("A1", "A1", "A2", "A2"), ("C.1", "C.2", "C.1", "C.2")]


# --- where values come from


def test_what_replaces_values_of_global_parameters_keeps_place_in_order_and_label() -> None:
    parameters, problems = read("parameters: {C: {values: [p, q, r]}, A: {range: [7, 9]}}", A)
    assert problems == []
    assert rows(parameters) == ["7 p", "8 q", "9 r"]
    assert parameters[0].labels == ("A7", "A8", "A9")


def test_a_label_alone_replaces_the_label() -> None:
    (parameter,), _ = read("parameters: {A: {label: '%%-A'}}", A)
    assert (parameter.values, parameter.labels) == (("1", "2"), ("1-A", "2-A"))


def test_a_column_of_a_file_makes_one_parameter() -> None:
    files = {"specs/data/rows.csv": ROWS}
    lists = "{A: {file: data/rows.csv, column: C}, B: {file: data/rows.csv, label: '%%'}}"
    assert rows_of(f"parameters: {lists}", "", files) == ["0.10 x", "0.20 y", "0.30 z"]
    assert len(rows_of(f"sweep: product, parameters: {lists}", "", files)) == 9


def test_all_columns_of_a_file_stay_together_in_a_product() -> None:
    files = {"specs/rows.csv": ROWS}
    block = "sweep: product, parameters: {file: rows.csv, A: {range: [1, 2]}}"
    expected = ["x 0.10 1", "x 0.10 2", "y 0.20 1", "y 0.20 2", "z 0.30 1", "z 0.30 2"]
    assert rows_of(block, "", files) == expected
    assert rows_of(block.replace("product", "{zip: [[B], [A]]}"), "", files) == expected


def test_a_parameter_may_be_called_file() -> None:
    parameters, _ = read("parameters: {file: {values: [a]}}")
    assert [parameter.key for parameter in parameters] == ["file"]


def test_what_the_command_line_gives_counts_last() -> None:
    assert rows_of("sweep: product, parameters: {A: {range: [1, 9]}}", f"{A}, {B}", A=("5",), C=("p", "q")) == [
        "5 x p", "5 x q", "5 y p", "5 y q",
    ]  # fmt: skip


def test_a_study_for_maestro_alone_is_read_as_ever() -> None:
    parameters, problems = read("", f"{A}, {B}, C: {{values: [[1], null], label: '%%'}}")
    assert problems == []
    assert rows(parameters) == ["1 x [1]", "2 y None"]


# --- mistakes


@pytest.mark.parametrize(
    ("block", "messages"),
    [
        ("sweep: prodct", ["4:15: mtui: 'sweep' must be product, zip or a mapping, but is 'prodct': "
                           "did you mean 'product'?"]),
        ("sweep: 5", ["4:15: mtui: 'sweep' must be product, zip or a mapping, but is '5': write product, or "
                      "{zip: [[A, B], [C]]} for groups that are combined row by row"]),
        ("sweep: [[A, B]]", ["4:15: mtui: 'sweep' must be product, zip or a mapping, but is a list: write product, "
                             "or {zip: [[A, B], [C]]} for groups that are combined row by row"]),
        ("sweep: ", ["4:15: mtui: 'sweep' must be product, zip or a mapping, but is empty: write product, or "
                     "{zip: [[A, B], [C]]} for groups that are combined row by row"]),
        ("sweep: {zap: [[A, B]]}", ["4:16: mtui: sweep: unknown key 'zap': did you mean 'zip'?"]),
        ("sweep: {}", ["4:15: mtui: sweep has no 'zip': add 'zip:'; it is required"]),
        ("sweep: {zip: A}", ["4:21: mtui: sweep: 'zip' must be a list, but is text: "
                            "write it as [a, b] or '- a' lines"]),
        ("sweep: {zip: [A, B]}", [f"4:{column}: mtui: sweep: 'zip' must list groups of parameters, but holds text: "
                                  "a group is a nested list: [[A, B]]" for column in (22, 25)]),
        ("sweep: {zip: [[A, BB, {}], [], [B, A]]}", [
            "4:26: mtui: sweep: 'BB' is not a parameter: did you mean 'B'?",
            "4:30: mtui: sweep: a mapping is not a parameter: known: A, B",
            "4:35: mtui: sweep: a group of 'zip' is empty",
            "4:43: mtui: sweep: 'A' is in a group already"]),
    ],
)  # fmt: skip
def test_an_invalid_sweep_is_reported(block: str, messages: list[str]) -> None:
    assert problem_lines(block, f"{A}, {B}") == messages


@pytest.mark.parametrize(
    ("lists", "messages"),
    [
        ("A: {values: 5}", ["3:33: mtui: parameter 'A': values must be a list, but is a whole number: "
                            "write it as [a, b] or '- a' lines"]),
        ("A: {values: [[1], ~]}", ["3:34: mtui: parameter 'A': a value must be text or a number, but is a list",
                                   "3:39: mtui: parameter 'A': a value must be text or a number, but is empty"]),
        ("A: {range: 5}", ["3:32: mtui: parameter 'A': range must be [first, last] or [first, last, step]"]),
        ("A: {range: [1]}", ["3:32: mtui: parameter 'A': range must be [first, last] or [first, last, step]"]),
        ("A: {range: [1, x]}", ["3:32: mtui: parameter 'A': range: 'x' is not a number"]),
        ("A: {range: [1, [2]]}", ["3:32: mtui: parameter 'A': range: 'a list' is not a number"]),
        ("A: {range: [1, 5, 0]}", ["3:32: mtui: parameter 'A': range: a step of 0 has no effect"]),
        ("A: {range: [1:30, 2:30]}", ["3:32: mtui: parameter 'A': range: '1:30' is not a number"]),
        ("A: {range: [1, 2], values: [1]}", ["3:40: mtui: parameter 'A': only one of range, values can be given"]),
        ("A: {rang: [1, 2]}", ["3:25: mtui: parameter 'A': unknown key 'rang': did you mean 'range'?"]),
        ("A: {label: A%%}", ["3:21: parameter 'A' has no values: give it values, a range or a file"]),
        ("A: {range: [1, 2], label: [A]}", ["3:47: mtui: parameter 'A': label must be one text such as A.%%"]),
        ("A: {range: [1, 2], column: x}", ["3:40: mtui: parameter 'A': 'column' is given without a file: "
                                            "add file: NAME.csv"]),
        ("A: [1, 2]", ["3:24: mtui: parameter 'A' must be a mapping (key: value), but is a list"]),
        ("A: ", ["3:21: mtui: parameter 'A' is empty: give it its keys, indented below, or remove it"]),
        ("5: {values: [1]}", ["3:21: in mtui: parameters, the key '5' is not text: write it in quotes: \"5\""]),
        ("file: none.csv", ["3:27: none.csv: no such file: a path is relative to the study's file"]),
        ("A: {file: $(D)/r.csv}", ["3:31: $(D)/r.csv: no such file: tokens are not replaced here"]),
        ("A: {file: rows.csv, column: BB}", ["3:49: mtui: parameter 'A': rows.csv has no column 'BB': "
                                              "did you mean 'B'?"]),
        ("A: {file: rows.csv}", ["3:31: mtui: parameter 'A': rows.csv has no column 'A': known: B, C"]),
        ("A: {file: 5}", ["3:31: mtui: parameter 'A': 'file' must be text, but is a whole number: put it in quotes"]),
        ("file: [rows.csv]", ["3:27: mtui: parameters: 'file' must be text, but is a list"]),
        ("file: bad.csv, A: {file: bad.csv}", ["specs/bad.csv:2:1: 1 value for 2 columns"]),
    ],
)  # fmt: skip
def test_invalid_values_are_reported(lists: str, messages: list[str]) -> None:
    files = {"specs/rows.csv": ROWS, "specs/bad.csv": "A,B\n1\n"}
    assert problem_lines(f"parameters: {{{lists}}}", "", files) == messages


@pytest.mark.parametrize("block", ["parameters: 5", "parameters: [A]", "parameters: "])
def test_parameters_have_to_be_a_mapping(block: str) -> None:
    (message,) = problem_lines(block)
    assert message.startswith("3:")
    assert "mtui: parameters" in message


def test_lists_that_go_row_by_row_are_of_one_length() -> None:
    row = "row i of a sweep uses value i of every parameter, so all need as many values"
    product = "for all combinations write mtui: {sweep: product}"
    assert problem_lines("", f"{A}, {C}") == [f"3:54: parameter 'C' has 3 values, but 'A' has 2: {row}; {product}"]
    assert problem_lines("", f"{A}, {B}", given=CommandLineValues({"A": ("1",)})) == [
        f"3:54: parameter 'B' has 2 values, but 'A' has 1: {row}; {product} (some are given by --params)"
    ]
    assert problem_lines("sweep: {zip: [[A, C]]}", f"{A}, {B}, {C}") == [
        "3:87: parameter 'C' has 3 values, but 'A' has 2: A, C are combined row by row, so all need as many values"
    ]
    assert problem_lines(
        "parameters: {file: rows.csv}", "", {"specs/rows.csv": ROWS}, CommandLineValues({"B": ("x",)})
    ) == [f"3:21: parameter 'C' has 3 values, but 'B' has 1: {row}; {product} (some are given by --params)"]


def test_lists_of_different_lengths_are_for_mtui_alone() -> None:
    warning = "3:54: warning: parameter 'C' has 3 values, but 'A' has 2: Maestro refuses that"
    hint = "keep parameters combined row by row in global.parameters, other lists under mtui: parameters"
    assert problem_lines("sweep: product", f"{A}, {C}") == [f"{warning}: {hint}"]
    assert problem_lines("parameters: {C: {values: [1, 2]}}", f"{A}, {C}") == [f"{warning}: {hint}"]
    assert (
        problem_lines(
            "sweep: product, parameters: {C: {range: [1, 9]}}", f"{A}, {B}, C: {{values: [1, 2], label: C%%}}"
        )
        == []
    )


def test_more_rows_than_anybody_sweeps_are_refused_with_their_number() -> None:
    lists = "A: {range: [1, 100]}, B: {range: [1, 100]}, C: {range: [1, 100]}"
    assert problem_lines(f"sweep: product, parameters: {{{lists}}}") == [
        "3:8: the sweep has 100 x 100 x 100 = 1,000,000 rows: at most 200,000 are possible"
    ]
    assert len(rows_of(f"sweep: product, parameters: {{{lists}}}".replace("100", "20"))) == 8000


def test_a_generator_replaces_the_whole_sweep() -> None:
    given = CommandLineValues({"B": ("1",)}, generator=True)
    reason = "has no effect: --pgen gives all parameters"
    assert [
        line
        for line in problem_lines("sweep: product, parameters: {C: {range: [1, 2]}}", A, given=given)
        if "pgen" in line
    ] == [
        f"warning: --params {reason}",
        f"4:8: warning: mtui: 'sweep' {reason}",
        f"4:24: warning: mtui: 'parameters' {reason}",
    ]
    assert problem_lines("", A, given=CommandLineValues(generator=True)) == []
    assert problem_lines("", f"{A}, {B}", given=CommandLineValues({"A": ("1",)}, generator=True)) == [
        f"warning: --params {reason}"
    ]
