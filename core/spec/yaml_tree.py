"""Parses YAML text into a tree with the place of each value.

Scalars are read as YAML 1.1, as by Maestro's loader (PyYAML), with one exception: `1:30:00` stays text. YAML 1.1 would
read it as the number 5400, which Slurm takes as minutes: ninety hours.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
import yaml.reader

from .problems import NOWHERE, Place, Problems

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: slower, the same tree
    from yaml import SafeLoader as _Loader  # pyright: ignore[reportAssignmentType]

_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE_TAG = "tag:yaml.org,2002:merge"

# Limits far beyond any spec, against files crafted to exhaust the stack or the memory.
_MAX_DEPTH = 60
_MAX_SIZE = 1_000_000  # values, each counted as often as aliases repeat it
_SUSPICIOUS = 5_000  # nesting depth that may crash PyYAML; checked only in texts with as many marks that open a level
_TOO_DEEP = "nested too deeply to be a study"
_DEPTH_BOUND = "maximum nesting depth"  # in the error of a libyaml with its own limit, as in PyYAML 6.0.4

# Raised by PyYAML's constructors for an explicit tag with an invalid value, such as `!!bool maybe`.
_UNFIT = (ValueError, LookupError, AttributeError, TypeError, OverflowError)


@dataclass(frozen=True, slots=True)
class TreeNode:
    """Any value, with its place and its start and end offsets in the text."""

    place: Place
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scalar(TreeNode):
    """A scalar: its Python value, and its text as written."""

    value: object
    text: str
    clock: bool = False  # written like 1:30:00 without quotes


@dataclass(frozen=True, slots=True)
class Sequence(TreeNode):
    """A YAML list."""

    items: list[TreeNode]


@dataclass(frozen=True, slots=True)
class Mapping(TreeNode):
    """A YAML mapping in file order; `keys` has the place of each key, `odd` the keys that are not text."""

    entries: dict[str, TreeNode]
    keys: dict[str, Place]
    odd: list[tuple[Place, str]] = field(default_factory=list[tuple[Place, str]])

    def get(self, key: str) -> TreeNode | None:
        return self.entries.get(key)

    def items(self) -> Iterator[tuple[str, TreeNode]]:
        return iter(self.entries.items())

    def key_place(self, key: str) -> Place:
        """Return the place of a key; of the mapping if it does not have the key."""
        return self.keys.get(key, self.place)


def kind_of(node: TreeNode) -> str:
    """Describe the kind of a node, for messages."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    assert isinstance(node, Scalar)
    if node.value is None:
        return "empty"
    match node.value:
        case str():
            return "text"
        case bool():
            return "true/false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case datetime.date():
            return "a date"
        case _:
            return "a value with a YAML tag"


def read_tree(text: str, problems: Problems) -> TreeNode | None:
    """Parse a YAML document; None for an empty file or after a syntax error, which is added to `problems`."""
    control = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if control:
        before = text[: control.start()].split("\n")
        place = Place(len(before), len(before[-1]) + 1)
        problems.error(place, f"not YAML text: it holds the control character {control.group()!r}")
        return None
    try:
        too_deep = _too_deep(text)
        if too_deep:
            problems.error(too_deep, _TOO_DEEP)
            return None
        loader = _Loader(text)
        try:
            root: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        _syntax_problem(error, text, problems)
        return None
    except yaml.YAMLError as error:
        problems.error(NOWHERE, f"not YAML text: {error}")
        return None
    except RecursionError:
        problems.error(NOWHERE, _TOO_DEEP)
        return None
    return None if root is None else _TreeBuilder(problems).build(root)


def _too_deep(text: str) -> Place | None:
    """Return where nesting exceeds what PyYAML's C code can recurse into without crashing; None if nowhere."""
    if sum(map(text.count, ("[", "{", "- ", "? "))) < _SUSPICIOUS:
        return None
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _SUSPICIOUS:
                mark = event.start_mark
                return Place(mark.line + 1, mark.column + 1) if mark else NOWHERE
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else NOWHERE
    if _DEPTH_BOUND in (error.problem or ""):
        problems.error(place, _TOO_DEEP)
        return
    message = "YAML syntax: " + (error.problem or str(error)).strip()
    context = f" ({error.context})" if error.context else ""
    begun = error.context_mark.line + 1 if error.context_mark else place.line
    lines = text.splitlines()
    near = "\n".join(lines[max(0, place.line - 2) : place.line])
    hint = ""
    if "\t" in near:
        hint = "the line holds a tab; YAML indents with spaces only"
    elif "cannot start any token" in message:
        hint = "put text that begins with this character in quotes"
    elif "mapping values are not allowed" in message:
        hint = "put text that holds ': ' in quotes, or check the indentation of this line"
    elif "expected a single document" in context:
        hint = "a study is one document: remove the '---' line in the middle"
    elif "could not find expected ':'" in message:
        hint = f"line {begun} is read as a key; indent script lines more than their 'cmd'"
    elif begun < place.line:
        hint = f"look above, from line {begun} on: a quote that is not closed, or lines that are indented otherwise"
    problems.error(place, message + context, hint)


class _TreeBuilder:
    """Converts PyYAML's nodes to `TreeNode`s, each aliased node once."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._constructor = yaml.SafeLoader("")
        self._built: dict[int, tuple[TreeNode, int]] = {}  # by the id of PyYAML's node: the TreeNode, and its size
        self._open: set[int] = set()
        self._reported = False

    def build(self, node: yaml.Node) -> TreeNode:
        return self._build(node, 0)[0]

    def _build(self, node: yaml.Node, depth: int) -> tuple[TreeNode, int]:
        known = self._built.get(id(node))
        if known is not None:
            return known
        place, start, end = _position(node)
        if id(node) in self._open or depth > _MAX_DEPTH:
            self._hostile(place, "an alias that contains itself, or nesting that is too deep")
            return Scalar(place, start, end, None, ""), 1
        self._open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            built, size = self._mapping(node, depth)
        elif isinstance(node, yaml.SequenceNode):
            items = [self._build(item, depth + 1) for item in node.value]
            built, size = Sequence(place, start, end, [item for item, _ in items]), sum(size for _, size in items)
        else:
            assert isinstance(node, yaml.ScalarNode)
            built, size = self._scalar(node), 0
        self._open.discard(id(node))
        if size > _MAX_SIZE + len(self._built):
            self._hostile(place, f"aliases repeat values more than {_MAX_SIZE:,} times")
            empty = (
                Mapping(place, start, end, {}, {}) if isinstance(built, Mapping) else Sequence(place, start, end, [])
            )
            built, size = empty, 0
        self._built[id(node)] = built, size + 1
        return built, size + 1

    def _hostile(self, place: Place, message: str) -> None:
        """Report a file crafted to exhaust resources; once, since such a file repeats it without end."""
        if not self._reported:
            self._problems.error(place, message)
        self._reported = True

    def _mapping(self, node: yaml.MappingNode, depth: int) -> tuple[Mapping, int]:
        built = Mapping(*_position(node), {}, {})
        size = 0
        for key, value in node.value:  # merged anchors first, so that the mapping's own keys override them
            if key.tag == _MERGE_TAG:
                size += self._merge(built, value, depth)
        written: dict[str, Place] = {}
        for key, value in node.value:
            key_place = _position(key)[0]
            if not isinstance(key, yaml.ScalarNode):
                self._problems.error(key_place, "a key must be one word or text, not a list or mapping")
            elif key.tag != _MERGE_TAG:
                name = key.value
                if key.tag != "tag:yaml.org,2002:str":
                    built.odd.append((key_place, name))
                if name in written:
                    ignored = written[name].line
                    self._problems.warn(
                        key_place, f"key '{name}' is given twice; the value of line {ignored} is ignored"
                    )
                written[name] = key_place
                built.entries[name], value_size = self._build(value, depth + 1)
                built.keys[name] = key_place
                size += value_size
        return built, size

    def _merge(self, into: Mapping, value: yaml.Node, depth: int) -> int:
        """Merge the mappings of `<<: *anchor` or `<<: [*first, *second]`. Return their size.

        The first of a list wins, as specified (https://yaml.org/type/merge.html). In PyYAML 6.0.4 the last one wins
        (https://github.com/yaml/pyyaml/issues/953), so this does not use its constructor.
        """
        size = 0
        for node in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
            source, source_size = self._build(node, depth + 1)
            size += source_size
            if isinstance(source, Mapping):
                into.entries.update(source.entries)
                into.keys.update(source.keys)
                into.odd.extend(source.odd)
            else:
                place = _position(node)[0]
                self._problems.error(place, f"the YAML merge key '<<' takes a mapping, but this is {kind_of(source)}")
        return size

    def _scalar(self, node: yaml.ScalarNode) -> Scalar:
        place, start, end = _position(node)
        text: str = node.value
        if node.tag in _NUMBER_TAGS and ":" in text:
            return Scalar(place, start, end, text, text, clock=True)
        try:
            value: object = self._constructor.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
            str(value)  # fails for a hexadecimal number beyond Python's limit for decimal ones
        except yaml.MarkedYAMLError:
            self._problems.error(place, f"the YAML tag '{node.tag}' has no meaning in a study")
            value = None
        except _UNFIT as error:  # looks like a date or number, but is not valid: 2020-13-45
            shown = text if len(text) < 60 else text[:60] + "..."
            reason = str(error) if type(error) is ValueError else f"it does not match its YAML tag {node.tag}"
            self._problems.error(place, f"'{shown}' cannot be read: {reason}", "put it in quotes to keep the text")
            value = None
        return Scalar(place, start, end, value, text)


def _position(node: yaml.Node) -> tuple[Place, int, int]:
    start, end = node.start_mark, node.end_mark
    return Place(start.line + 1, start.column + 1), start.index, end.index
