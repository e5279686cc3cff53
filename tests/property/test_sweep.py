"""Random sweeps: the rows are those of nested loops over the groups, whichever way the lists are written.

MTUI_EXAMPLES=2000 in the environment tries more of them.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mtui.core.spec import Problems
from mtui.core.spec.command_line_values import read_command_line_values
from mtui.core.spec.csv_table import read_table
from mtui.core.spec.ranges import numbers
from mtui.core.spec.study_parser import parse_study
from mtui.core.spec.sweep import combine, count_rows
from mtui.core.spec.text_files import UnreadableFile

EXAMPLES = int(os.environ.get("MTUI_EXAMPLES", "150"))
TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="."), min_size=1, max_size=6)

Groups = list[dict[str, list[str]]]  # the lists of each group, all of one length


@st.composite
def groups_of_lists(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> Groups:
    keys = iter(draw(st.permutations("ABCDEF")))
    groups: Groups = []
    for size in draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)):
        length = draw(st.integers(1, 4))
        group = {key: draw(st.lists(texts, min_size=length, max_size=length)) for key in itertools.islice(keys, size)}
        groups += [group] if group else []
    return groups


def loops(groups: Groups) -> list[dict[str, str]]:
    """The rows as nested loops make them, in file order: a group is where its first parameter in the file does."""
    rows = [[dict(zip(group, row, strict=True)) for row in zip(*group.values(), strict=True)] for group in groups]
    return [{key: text for part in parts for key, text in part.items()} for parts in itertools.product(*rows)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(groups=groups_of_lists())
def test_rows_are_those_of_nested_loops(groups: Groups) -> None:
    lists = {key: values for group in groups for key, values in group.items()}
    columns = combine(lists, [tuple(group) for group in groups])
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert rows == loops(groups)
    assert len(rows) == count_rows(lists, [tuple(group) for group in groups])


@settings(max_examples=EXAMPLES, deadline=None)
@given(groups=groups_of_lists(), data=st.data())
def test_every_way_to_write_a_sweep_gives_its_rows(groups: Groups, data: st.DataObject) -> None:
    """By lists, files and the command line, and with the members of the groups in any order."""
    files: dict[str, str] = {}
    lists: dict[str, Any] = {}
    params: list[str] = []
    for group in groups:
        for key, values in group.items():
            way = data.draw(st.sampled_from(("values", "file", "command line")))
            if way == "file":
                files[f"specs/{key}.csv"] = table_text({key: values, "more": values})
                lists[key] = {"file": f"{key}.csv"}
            elif way == "values":
                lists[key] = {"values": values}
            else:
                lists[key] = {"values": []}
                text = io.StringIO()
                csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(values)
                params.append(f"{key}={text.getvalue()}")
    named = [data.draw(st.permutations(list(group))) for group in data.draw(st.permutations(groups))]
    study = {
        "description": {"name": "t", "description": "d"},
        "study": [{"name": "a", "description": "d", "run": {"cmd": "true"}}],
        "mtui": {"sweep": {"zip": [group for group in named if len(group) > 1]}, "parameters": lists},
    }
    problems = Problems("specs/study.yaml")
    text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True)
    found = parse_study(
        text, problems, read_command_line_values(params, []), lambda path, what: files.get(path) or UnreadableFile(what)
    )
    assert [parameter.key for parameter in found.parameters] == list(lists)
    columns = [parameter.values for parameter in found.parameters]
    assert [dict(zip(lists, row, strict=True)) for row in zip(*columns, strict=True)] == loops(groups)
    assert problems.found == []


def table_text(columns: dict[str, list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


@settings(max_examples=EXAMPLES, deadline=None)
@given(lists=groups_of_lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1)))
def test_a_table_is_read_as_it_was_written(lists: Groups) -> None:
    (columns, *_) = lists
    problems = Problems("rows.csv")
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    assert read_table(text.getvalue(), problems) == {key: tuple(values) for key, values in columns.items()}
    assert problems.found == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(text=st.text(st.sampled_from('A,;"\n\r \t\ufeffé\0x'), max_size=40))
def test_any_text_is_a_table_or_reported_with_its_line(text: str) -> None:
    problems = Problems("rows.csv")
    table = read_table(text, problems)
    assert (table is None) == bool(problems.errors)
    for problem in problems.found:
        assert 1 <= problem.place.line <= text.count("\n") + text.count("\r") + 1


@settings(max_examples=EXAMPLES, deadline=None)
@given(first=st.integers(-9999, 9999), count=st.integers(1, 300), step=st.integers(-500, 500), places=st.integers(0, 9))
def test_a_range_holds_both_ends_and_every_step_between(first: int, count: int, step: int, places: int) -> None:
    step = step or 1
    whole = [first + number * step for number in range(count)]
    written = [f"{'-' * (number < 0)}{abs(number) // 10**places}.{abs(number) % 10**places:0{places}d}"
               if places else str(number) for number in (whole[0], whole[-1], step)]  # fmt: skip
    found = numbers(*written)
    assert [int(text.replace(".", "")) for text in found] == whole
    assert (found[0], found[-1]) == (written[0], written[1])
