"""Typed access to the tree of a spec: each wrong type or key is reported with its place, never raised."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Mapped
from types import MappingProxyType

from .problems import Place, Problems, closest, nearest
from .yaml_tree import Mapping, Scalar, Sequence, TreeNode, kind_of

NO_HINTS: Mapped[str, str] = MappingProxyType({})


def plain(node: TreeNode) -> object:
    """Convert a node to plain Python values, as a YAML loader returns them."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def shown(node: TreeNode) -> str:
    """Format a node for a message: its text in quotes, or its kind if it is not one value."""
    return f"'{node.text}'" if isinstance(node, Scalar) and node.value is not None else kind_of(node)


def warn_of_clock(node: Scalar, what: str, problems: Problems) -> None:
    """Warn of a value written like a time, which Maestro and mtui read differently."""
    if node.clock:
        problems.warn(
            node.place,
            f"{what}: {node.text} is kept as text; Maestro reads it as a number of seconds",
            f'put it in quotes for the same meaning in both: "{node.text}"',
        )


class Fields:
    """The entries of one mapping, which messages call `what` (for example "step 'run'")."""

    def __init__(self, node: Mapping, what: str, problems: Problems) -> None:
        self.node = node
        self.what = what
        self.problems = problems

    @classmethod
    def of(
        cls, node: TreeNode | None, what: str, problems: Problems, place: Place, *, odd_keys: bool = False
    ) -> Fields | None:
        """Return the fields of a node that must be a mapping; report a problem and return None if it is not.

        With `odd_keys`, keys that are not text are not reported, for mappings with arbitrary keys.
        """
        if isinstance(node, Mapping):
            for key_place, key in node.odd if not odd_keys else ():
                problems.error(key_place, f"in {what}, the key '{key}' is not text", f'write it in quotes: "{key}"')
            return cls(node, what, problems)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            problems.error(place, f"{what} is empty", "give it its keys, indented below, or remove it")
        else:
            problems.error(node.place, f"{what} must be a mapping (key: value), but is {kind_of(node)}")
        return None

    def place(self, key: str) -> Place:
        """Return the place of a key; of the mapping if it does not have the key."""
        return self.node.key_place(key)

    def has(self, key: str) -> bool:
        return key in self.node.entries

    def check_keys(
        self,
        known: Collection[str] = (),
        required: Collection[str] = (),
        *,
        warn: bool = False,
        why: str = "it is required",
        hints: Mapped[str, str] = NO_HINTS,
    ) -> None:
        """Report missing keys, and keys that are neither known nor required (as a warning if `warn`).

        A misspelt required key is reported once, and always as an error. `hints` has what to write instead of keys that
        belong elsewhere.
        """
        missing = [key for key in required if key not in self.node.entries]
        for key in self.node.entries:
            if key in known or key in required:
                continue
            meant = closest(key, missing)
            if meant:
                missing.remove(meant)
            if warn and not meant:
                message = f"{self.what}: key '{key}' is unknown and has no effect"
                self.problems.warn(self.place(key), message, hints.get(key) or nearest(key, known))
            else:
                hint = f"did you mean '{meant}'?" if meant else hints.get(key) or nearest(key, {*known, *required})
                self.problems.error(self.place(key), f"{self.what}: unknown key '{key}'", hint)
        for key in missing:
            self.problems.error(self.node.place, f"{self.what} has no '{key}'", f"add '{key}:'; {why}")

    def text(self, key: str) -> str:
        """Return a value that must be non-empty text; empty after a problem or if the key is missing."""
        node = self.node.get(key)
        if node is None:
            return ""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            if node.value:
                return node.value
            self.problems.error(node.place, f"{self.what}: '{key}' is empty")
            return ""
        hint = "put it in quotes" if isinstance(node, Scalar) and node.value is not None else ""
        self.problems.error(node.place, f"{self.what}: '{key}' must be text, but is {kind_of(node)}", hint)
        return ""

    def flag(self, key: str, *, or_else: str = "") -> bool | None:
        """Return a value that must be true or false; None after a problem or if the key is missing.

        `or_else` is added to the message, for keys that accept something else too (" or a mapping").
        """
        node = self.node.get(key)
        if node is None or (isinstance(node, Scalar) and isinstance(node.value, bool)):
            return node.value if isinstance(node, Scalar) and isinstance(node.value, bool) else None
        self.problems.error(node.place, f"{self.what}: '{key}' must be true or false{or_else}, but is {kind_of(node)}")
        return None

    def mapping(self, key: str, what: str, *, odd_keys: bool = False) -> Fields | None:
        """Return the fields of a key; None if it is missing, or (with a problem) not a mapping."""
        if not self.has(key):
            return None
        return Fields.of(self.node.get(key), what, self.problems, self.place(key), odd_keys=odd_keys)

    def items(self, key: str, what: str) -> Iterator[TreeNode]:
        """Yield the items of a value that must be a list; none after a problem or if the key is missing."""
        node = self.node.get(key)
        if node is None:
            return
        if isinstance(node, Sequence):
            yield from node.items
            return
        place = node.place if not (isinstance(node, Scalar) and node.value is None) else self.place(key)
        self.problems.error(
            place, f"{what} must be a list, but is {kind_of(node)}", "write it as [a, b] or '- a' lines"
        )
