"""Reads the parameters of a study from all places that may define them, and combines them into rows.

Maestro has only `global.parameters`. `mtui: parameters` overrides values and labels of these and adds parameters; the
command line overrides both. `mtui: sweep` sets how the lists of values are combined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from . import yaml_tree
from .command_line_values import CommandLineValues
from .fields import Fields, plain, warn_of_clock
from .problems import NOWHERE, Place, Problems
from .ranges import RangeError, numbers
from .study_spec import Parameter
from .sweep import MOST_ROWS, Group, combine, count_rows, read_groups
from .table_files import TableFiles
from .text_files import ReadText
from .yaml_tree import Scalar, TreeNode, kind_of

_SOURCES = ("values", "range", "file")


@dataclass(frozen=True, slots=True)
class _Definition:
    """One definition of a parameter: its values, its label, or both."""

    key: str
    place: Place
    values: tuple[str, ...] | None = None
    label: str = ""
    table: str = ""  # the CSV file, if all its columns are parameters that go row by row
    broken: bool = False  # a problem of the values has been reported


def read_parameters(top: Fields, given: CommandLineValues, read: ReadText) -> tuple[Parameter, ...]:
    """Return all parameters, with a value and a label for every row; none if the file has errors."""
    problems = top.problems
    node = top.node.get("mtui")
    block = Fields(node, "mtui", problems) if isinstance(node, yaml_tree.Mapping) else None
    maestros = _maestros(top)
    typed = [] if given.generator else _from_command_line(given)
    found = _merged([*maestros, *_ours(block, TableFiles(read, problems)), *typed])
    for item in found:
        if item.values is None and not item.broken:
            problems.error(item.place, f"parameter '{item.key}' has no values", "give it values, a range or a file")
    if given.generator:
        _warn_of_generator(block, given, problems)
    groups = read_groups(block, [item.key for item in found], _tables(found))
    sound = {item.key: item for item in found if not item.broken and item.values is not None}
    groups = [kept for group in groups if (kept := tuple(key for key in group if key in sound))]
    values = {key: item.values or () for key, item in sound.items()}
    swept = block is not None and block.has("sweep")
    if _check_lengths(groups, sound, given, problems, swept=swept):
        _warn_of_maestro(maestros, problems)
        _check_size(groups, values, block, problems)
    if problems.errors:
        return ()
    forms = {key: item.label or f"{key}.%%" for key, item in sound.items()}
    texts = {key: [form.replace("%%", value) for value in values[key]] for key, form in forms.items()}
    columns, labels = combine(values, groups), combine(texts, groups)
    return tuple(Parameter(key, columns[key], labels[key], key, item.place) for key, item in sound.items())


def _merged(definitions: Iterable[_Definition]) -> list[_Definition]:
    """Merge the definitions of each parameter: the last values and the last label win."""
    merged: dict[str, _Definition] = {}
    for new in definitions:
        old = merged.get(new.key)
        if old:
            last = old if new.values is None and not new.broken else new
            place = old.place if last.place == NOWHERE else last.place
            new = _Definition(new.key, place, last.values, new.label or old.label, last.table or old.table, last.broken)
        merged[new.key] = new
    return list(merged.values())


def _tables(definitions: Iterable[_Definition]) -> list[Group]:
    groups: dict[str, Group] = {}
    for item in definitions:
        if item.table:
            groups[item.table] = (*groups.get(item.table, ()), item.key)
    return list(groups.values())


# --- the definitions


def _maestros(top: Fields) -> list[_Definition]:
    """Read `global.parameters`, which has Maestro's format."""
    fields = top.mapping("global.parameters", "global.parameters")
    found: list[_Definition] = []
    for key, node in fields.node.items() if fields else ():
        assert fields is not None
        what = f"parameter '{key}'"
        item = Fields.of(node, what, top.problems, fields.place(key))
        if item is None:
            found.append(_Definition(key, fields.place(key), broken=True))
            continue
        item.check_keys((), ("values", "label"))
        for value in item.items("values", f"{what}: values"):
            if isinstance(value, Scalar):
                warn_of_clock(value, what, top.problems)
        values = item.node.get("values")
        listed = values.items if isinstance(values, yaml_tree.Sequence) else None
        texts = None if listed is None else tuple(str(plain(value)) for value in listed)
        found.append(_Definition(key, fields.place(key), texts, _label(key, item), broken=texts is None))
    return found


def _ours(block: Fields | None, files: TableFiles) -> list[_Definition]:
    """Read `mtui: parameters`, where `file: rows.csv` defines a parameter for every column of the file."""
    fields = block.mapping("parameters", "mtui: parameters") if block else None
    found: list[_Definition] = []
    for key, node in fields.node.items() if fields else ():
        assert fields is not None
        place = fields.place(key)
        if key == "file" and not isinstance(node, yaml_tree.Mapping):
            file = fields.text("file")
            columns = files.columns(file, node.place) if file else None
            found += [_Definition(name, place, values, table=file) for name, values in (columns or {}).items()]
        else:
            item = Fields.of(node, f"mtui: parameter '{key}'", fields.problems, place)
            found.append(_Definition(key, place, broken=True) if item is None else _own(key, place, item, files))
    return found


def _own(key: str, place: Place, item: Fields, files: TableFiles) -> _Definition:
    """Read one parameter of `mtui: parameters`: values, a range or a column of a file; or only a label."""
    before = len(item.problems.errors)
    item.check_keys((*_SOURCES, "label", "column"))
    sources = [source for source in item.node.entries if source in _SOURCES]
    if len(sources) > 1:
        message = f"{item.what}: only one of {', '.join(sources)} can be given"
        item.problems.error(item.place(sources[1]), message)
    if item.has("column") and not item.has("file"):
        item.problems.error(
            item.place("column"), f"{item.what}: 'column' is given without a file", "add file: NAME.csv"
        )
    label = _label(key, item)
    values: tuple[str, ...] | None = None
    if item.has("values"):
        values = _listed(item)
    elif item.has("range"):
        values = _range(item)
    elif item.has("file"):
        values = _column(key, item, files)
    broken = len(item.problems.errors) > before or (values is None and bool(sources))
    return _Definition(key, place, values, label, broken=broken)


def _from_command_line(given: CommandLineValues) -> list[_Definition]:
    return [_Definition(key, NOWHERE, values) for key, values in given.parameters.items()]


# --- values and labels


def _label(key: str, item: Fields) -> str:
    node = item.node.get("label")
    if isinstance(node, Scalar) or node is None:
        return item.text("label")
    item.problems.error(node.place, f"{item.what}: label must be one text such as {key}.%%")
    return ""


def _listed(item: Fields) -> tuple[str, ...]:
    found: list[str] = []
    for node in item.items("values", f"{item.what}: values"):
        if isinstance(node, Scalar) and node.value is not None:
            found.append(str(node.value))
        else:
            item.problems.error(node.place, f"{item.what}: a value must be text or a number, but is {kind_of(node)}")
    return tuple(found)


def _range(item: Fields) -> tuple[str, ...] | None:
    node = item.node.entries["range"]
    bounds = [_number(bound) for bound in node.items] if isinstance(node, yaml_tree.Sequence) else []
    if len(bounds) not in (2, 3):
        message = f"{item.what}: range must be [first, last] or [first, last, step]"
        item.problems.error(node.place, message)
        return None
    try:
        return numbers(*bounds)
    except RangeError as error:
        item.problems.error(node.place, f"{item.what}: range: {error}", error.hint)
        return None


def _number(node: TreeNode) -> str:
    """Return a bound as written; an integer as YAML parses it."""
    if not isinstance(node, Scalar) or node.value is None:
        return kind_of(node)
    return str(node.value) if isinstance(node.value, int) else node.text


def _column(key: str, item: Fields, files: TableFiles) -> tuple[str, ...] | None:
    file = item.text("file")
    named = item.text("column") if item.has("column") else key
    if not file or not named:
        return None
    place = item.node.entries["column" if item.has("column") else "file"].place
    return files.column(file, named, place, item.what)


# --- checks


def _check_lengths(
    groups: Sequence[Group],
    found: Mapping[str, _Definition],
    given: CommandLineValues,
    problems: Problems,
    *,
    swept: bool,
) -> bool:
    """Return whether all lists of a group have the same length; `swept`: the study has a `sweep` key."""
    good = True
    for group in groups:
        first, *others = group
        for key in others:
            counts = [len(found[name].values or ()) for name in (key, first)]
            if counts[0] != counts[1]:
                good = False
                hint = "row i of a sweep uses value i of every parameter, so all need as many values"
                if swept:
                    hint = f"{', '.join(group)} are combined row by row, so all need as many values"
                else:
                    hint += "; for all combinations write mtui: {sweep: product}"
                if {key, first} & given.parameters.keys():
                    hint += " (some are given by --params)"
                message = f"parameter '{key}' has {counts[0]} values, but '{first}' has {counts[1]}"
                problems.error(found[key].place, message, hint)
    return good


def _check_size(
    groups: Sequence[Group], values: Mapping[str, Sequence[str]], block: Fields | None, problems: Problems
) -> None:
    rows = count_rows(values, groups)
    if len(groups) > 1 and rows > MOST_ROWS:
        counts = " x ".join(f"{len(values[group[0]]):,}" for group in groups)
        place = block.place("sweep") if block else NOWHERE
        problems.error(place, f"the sweep has {counts} = {rows:,} rows", f"at most {MOST_ROWS:,} are possible")


def _warn_of_maestro(maestros: Sequence[_Definition], problems: Problems) -> None:
    """Warn of lists of different lengths in `global.parameters`: Maestro always combines them row by row."""
    lists = [item for item in maestros if item.values is not None]
    for item in lists[1:]:
        have, first = len(item.values or ()), len(lists[0].values or ())
        if have != first:
            problems.warn(
                item.place,
                f"parameter '{item.key}' has {have} values, but '{lists[0].key}' has {first}: Maestro refuses that",
                "keep parameters combined row by row in global.parameters, other lists under mtui: parameters",
            )


def _warn_of_generator(block: Fields | None, given: CommandLineValues, problems: Problems) -> None:
    reason = "has no effect: --pgen gives all parameters"
    for key in ("sweep", "parameters") if block else ():
        assert block is not None
        if block.has(key):
            problems.warn(block.place(key), f"mtui: '{key}' {reason}")
    if given.parameters:
        problems.warn(NOWHERE, f"--params {reason}")
