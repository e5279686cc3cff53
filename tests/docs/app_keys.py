"""The table of the app's keys in docs/app.md, made of the bindings of its screens and widgets."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode

from mtui.tui import app as package
from mtui.tui.app.screens.help_screen import key_words

# The screens and panes in the order of the document, with their headings. Those of the same heading share a table.
_HEADINGS = {
    "MtuiApp": "Everywhere",
    "StudyScreen": "Study: all panes",
    "StepTree": "Study: steps",
    "StatusGrid": "Study: grid",
    "LogPane": "Study: log",
    "InstanceScreen": "Instance",
    "TimelineScreen": "Timeline",
    "TimelineChart": "Timeline",
    "AllocationsScreen": "Allocations",
    "AllocationList": "Allocations",
    "CommandsScreen": "Commands",
    "CommandList": "Commands",
    "StudiesScreen": "List of studies",
    "StudyList": "List of studies",
    "ConfirmScreen": "Dialogs",
    "RetryScreen": "Dialogs",
    "PickScreen": "Dialogs",
    "HelpScreen": "Help",
}


def key_rows() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return for each heading its keys, what they do, and the names of the actions."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    classes = {cls.__name__: cls for cls in key_classes()}
    named = [name for name in _HEADINGS if name in classes]
    for name in [*named, *sorted(classes.keys() - _HEADINGS.keys())]:
        rows = found.setdefault(_HEADINGS.get(name, classes[name].BINDING_GROUP_TITLE or name), [])
        for binding in classes[name].__dict__["BINDINGS"]:
            if isinstance(binding, Binding) and binding.id:
                rows.append((key_words(binding.key), binding.tooltip or binding.description, binding.id))
    return list(found.items())


def key_classes() -> Iterator[type[DOMNode]]:
    """Yield every class of the app that declares keys, each once."""
    seen: set[type[DOMNode]] = set()
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for item in vars(importlib.import_module(module.name)).values():
            if not (isinstance(item, type) and issubclass(item, DOMNode) and item.__dict__.get("BINDINGS")):
                continue
            if item.__module__.startswith("mtui.") and item not in seen:
                seen.add(item)
                yield item
