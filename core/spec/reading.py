"""Reads YAML text into a tree that remembers where each value stands.

Scalars mean what they mean in YAML 1.1, as Maestro's loader (PyYAML) reads them, with one exception:
`1:30:00` stays the text that the user wrote, where YAML 1.1 makes it the number 5400 (and Slurm, which
counts a bare number in minutes, then makes it ninety hours).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from .problems import NOWHERE, Place, Problems

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: slower, the same tree
    from yaml import SafeLoader as _Loader  # pyright: ignore[reportAssignmentType]

_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MAX_DEPTH = 60  # far beyond any spec; keeps hostile nesting from exhausting the stack


@dataclass(frozen=True, slots=True)
class Node:
    """Any value: its place, and its stretch of the source as two offsets."""

    place: Place
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """One value: as Python sees it, and as it was written."""

    value: object
    text: str
    clock: bool = False  # written like 1:30:00 without quotes


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    items: list[Node]


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """Keys to values in file order; `keys` has the place of each key, `odd` the keys that are not text."""

    entries: dict[str, Node]
    keys: dict[str, Place]
    odd: list[tuple[Place, str]] = field(default_factory=list[tuple[Place, str]])

    def get(self, key: str) -> Node | None:
        return self.entries.get(key)

    def items(self) -> Iterator[tuple[str, Node]]:
        return iter(self.entries.items())

    def key_place(self, key: str) -> Place:
        return self.keys.get(key, self.place)


def kind_of(node: Node) -> str:
    """What the node is, in words for a message."""
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
        case _:
            return "a date"


def read_tree(text: str, problems: Problems) -> Node | None:
    """The tree of a YAML document; None after a syntax error (added to `problems`) or for an empty file."""
    loader = _Loader(text)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        _syntax_problem(error, text, problems)
        return None
    except yaml.reader.ReaderError as error:
        problems.error(NOWHERE, f"not YAML text: {error.reason} at position {error.position}")
        return None
    except RecursionError:
        problems.error(NOWHERE, "nested too deeply to be a study")
        return None
    finally:
        loader.dispose()
    if root is None:
        return None
    return _Builder(problems).build(root)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else NOWHERE
    message = "YAML syntax: " + (error.problem or str(error)).strip()
    context = f" ({error.context})" if error.context else ""
    lines = text.splitlines()
    near = "\n".join(lines[max(0, place.line - 2) : place.line])
    hint = ""
    if "\t" in near:
        hint = "the line holds a tab; YAML indents with spaces only"
    elif mark and "mapping values are not allowed" in message:
        hint = "put text that holds ': ' in quotes, or check the indentation of this line"
    elif "expected a single document" in message:
        hint = "a study is one document: remove the '---' line in the middle"
    problems.error(place, message + context, hint)


class _Builder:
    """Turns PyYAML's nodes into ours, each aliased node once."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._constructor = yaml.SafeLoader("")
        self._built: dict[int, Node] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, depth: int = 0) -> Node:
        known = self._built.get(id(node))
        if known is not None:
            return known
        place, start, end = _position(node)
        if id(node) in self._open or depth > _MAX_DEPTH:
            self._problems.error(place, "an alias that contains itself, or nesting beyond any study")
            return Scalar(place, start, end, None, "")
        self._open.add(id(node))
        built = self._convert(node, depth)
        self._open.discard(id(node))
        self._built[id(node)] = built
        return built

    def _convert(self, node: yaml.Node, depth: int) -> Node:
        place, start, end = _position(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return Sequence(place, start, end, [self.build(item, depth + 1) for item in node.value])
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> Mapping:
        place, start, end = _position(node)
        own = {id(key) for key, _ in node.value}  # what flattening adds is merged from an anchor
        try:
            self._constructor.flatten_mapping(node)
        except yaml.MarkedYAMLError as error:
            self._problems.error(place, f"YAML merge key: {error.problem}")
        built = Mapping(place, start, end, {}, {})
        written: dict[str, Place] = {}
        for key, value in node.value:
            key_place = _position(key)[0]
            if not isinstance(key, yaml.ScalarNode):
                self._problems.error(key_place, "a key has to be one word or text, not a list or mapping")
                continue
            name = key.value
            if key.tag != "tag:yaml.org,2002:str":
                built.odd.append((key_place, name))
            if id(key) in own:
                if name in written:
                    ignored = written[name].line
                    self._problems.warn(
                        key_place, f"key '{name}' is given twice; the value of line {ignored} is ignored"
                    )
                written[name] = key_place
            built.entries[name] = self.build(value, depth + 1)
            built.keys[name] = key_place
        return built

    def _scalar(self, node: yaml.ScalarNode) -> Scalar:
        place, start, end = _position(node)
        text: str = node.value
        if node.tag in _NUMBER_TAGS and ":" in text:
            return Scalar(place, start, end, text, text, clock=True)
        try:
            value: object = self._constructor.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
        except yaml.MarkedYAMLError:
            self._problems.error(place, f"the YAML tag '{node.tag}' has no meaning in a study")
            value = None
        except ValueError as error:  # looks like a date or number, but is none: 2020-13-45
            self._problems.error(place, f"'{text}' cannot be read: {error}", "put it in quotes to keep the text")
            value = None
        return Scalar(place, start, end, value, text)


def _position(node: yaml.Node) -> tuple[Place, int, int]:
    start, end = node.start_mark, node.end_mark
    return Place(start.line + 1, start.column + 1), start.index, end.index
