"""Whatever a spec file contains, the answer is a plan, or messages with places: never a traceback.

MTUI_EXAMPLES=2000 in the environment tries more of it.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mtui.core.plan.cost import cost_of
from mtui.core.plan.expand import make_plan
from mtui.core.plan.plan_json import plan_as_json
from mtui.core.spec import SpecError
from mtui.core.spec.study_parser import load_study

EXAMPLES = int(os.environ.get("MTUI_EXAMPLES", "150"))

VALID = """\
description: {name: t, description: of all keys}
env:
  variables: {OUTPUT_PATH: ./out, V: 1, W: $(V)/x}
  labels: {L: $(W)-$(A)}
  sources: [source me]
  dependencies:
    paths: [{name: P, path: /p}]
    git: [{name: G, path: clones, url: "https://example.org/g.git", tag: v1}]
batch: {type: slurm, host: h, bank: b, queue: q, nodes: 1, procs: 2, qos: low, reservation: r, shell: /bin/sh}
study:
- name: first
  description: with $(A)
  run: &run
    cmd: |
      $(LAUNCHER)[1n, 2p] ./x $(A) $(B.label) $(L)
      ls $(WORKSPACE) $(P) $(G)
    restart: $(LAUNCHER) ./x --again
    nodes: 1
    procs: $(B)
    cores per task: 2
    gpus: 1
    walltime: 00:10:00
    exclusive: {allocation: true, launcher: $(A)}
    priority: low
- name: second
  description: d
  run: {<<: *run, cmd: ls $(first.workspace), depends: [first], walltime: 1:30:00}
- name: third
  description: d
  run: {cmd: ls $(first.workspace)/* $(second.workspace), depends: [first_*, second], exclusive: no, qos: x}
global.parameters:
  A: {values: [1, 2.5, yes, null], label: A.%%}
  B: {values: [1, 1, 2, 2], label: B%%}
mtui:
  sweep: {zip: [[A, B], [C]]}
  parameters: {C: {range: [1, 2, 0.5], label: C%%}, D: {file: rows.csv, column: D}, file: rows.csv}
"""
ROWS = "D,E\n1,x\n2,y\n"

SCALARS = (
    *(None, True, False, 0, -1, 2, 1.5, float("inf"), float("nan"), 10**30),
    *("", " ", "x", "a\nb", "é", "\U0001f600", "x" * 300, "..", "/", "%%", "first", "slurm", "*", "_*", "first_*"),
    *("$(A)", "$(", "$()", "$(nope)", "$(first.workspace)", "$(third.workspace)", "$(.workspace)"),
    *("$(LAUNCHER)[", "$(LAUNCHER)[9p]"),
    *([], {}, [[]], [{}], [None], ["x", "x"], {"x": None}, {1: 2}, {None: 1}, {"": ""}),
)
SNIPPETS = (
    *("\t", "\0", "\x07", "\ufeff", "\r", "\r\n", "\n", "\x85", "\u2028", " #", "---\n", "...\n"),
    *(":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "#", "'", '"', "|", ">", "|9", "%", "@", "`", "=", "~"),
    *("&a ", "*a", "*run", "<<: *run\n", "!!int ", "!!bool ", "!!timestamp ", "!!float ", "!!binary ", "!x "),
    *("!!set ", "!!map ", "!!python/object:os.system ", "1:30", "0x", "0b", "2020-99-99"),
    *("[" * 80, "[" * 6000, "$(", "$(A)", "name: name\n", "=: =\n"),
)


@st.composite
def _mutated_trees(draw: st.DrawFn) -> bytes:
    """The valid spec with other values, keys or lists at random places of its tree."""
    tree: Any = yaml.safe_load(VALID)
    for _ in range(draw(st.integers(1, 4))):
        holder, key = _any_place(draw, tree)
        if holder is None:
            break
        change = draw(st.sampled_from(("replace", "replace", "delete", "rename", "wrap", "copy")))
        if change == "replace":
            holder[key] = copy.deepcopy(draw(st.sampled_from(SCALARS)))
        elif change == "delete":
            del holder[key]
        elif change == "wrap":
            holder[key] = draw(st.sampled_from(([holder[key]], {"x": holder[key]}, [holder[key]] * 2)))
        elif change == "copy":
            source, source_key = _any_place(draw, tree)
            holder[key] = copy.deepcopy(source[source_key]) if source is not None else None
        elif isinstance(holder, dict):
            new = draw(st.sampled_from(("x", "", "nme", "run", "cmd", "values", "description", 1, None, True)))
            holder[new] = holder.pop(key)
    return yaml.safe_dump(tree, sort_keys=False).encode()


def _any_place(draw: st.DrawFn, tree: Any) -> tuple[Any, Any]:
    """A random mapping or list of the tree and one of its keys; (None, None) in an empty tree."""
    places: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        places += [(node, key) for key in keys]
        stack += [node[key] for key in keys]
    return draw(st.sampled_from(places)) if places else (None, None)


@st.composite
def _mutated_texts(draw: st.DrawFn) -> bytes:
    """The valid spec with other characters at random places of its text."""
    text = VALID
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        change = draw(st.sampled_from(("insert", "insert", "cut", "double", "end")))
        if change == "insert":
            text = text[:at] + draw(st.sampled_from(SNIPPETS)) + text[at:]
        elif change == "cut":
            text = text[:at] + text[at + draw(st.integers(1, 40)) :]
        elif change == "double":
            text = text[: at + draw(st.integers(1, 60))] + text[at:]
        else:
            text = text[:at]
    data = text.encode(draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-16"))))
    if draw(st.integers(0, 9)) == 0:
        data = data[:20] + bytes([draw(st.integers(128, 255))]) + data[20:]
    return data


def _aliases(merge: bool) -> bytes:
    """A spec whose aliases would unfold into millions of values."""
    form = "a{}: &a{}\n  <<: [{}]\n" if merge else "a{}: &a{} [{}]\n"
    first = "a0: &a0 {x: 1, y: 2}\n" if merge else "a0: &a0 [1, 2]\n"
    levels = "".join(form.format(n, n, ", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 12))
    return (first + levels + VALID.replace("[1, 1, 2, 2]", "[*a11, 1, 2, 2]")).encode()


@settings(max_examples=EXAMPLES * 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.one_of(_mutated_trees(), _mutated_texts(), st.binary(max_size=40)))
@example(data=VALID.encode())
@example(data=b"")
@example(data=b"a: &a [*a]\n" + VALID.encode())
@example(data=b"a: &a {<<: *a}\n" + VALID.encode())
@example(data=b"x: " + b"[" * 200_000)
@example(data=b"x: " + b"[" * 200_000 + b"]" * 200_000)
@example(data=b"- " * 200_000)
@example(data=_aliases(merge=True))
@example(data=_aliases(merge=False))
@example(data=VALID.replace("nodes: 1", "nodes: .inf").encode())
@example(data=VALID.replace("V: 1", "V: !!bool maybe").encode())
@example(data=VALID.replace("V: 1", "V: !!timestamp now").encode())
@example(data=VALID.replace("V: 1", "V: !!int ''").encode())
@example(data=VALID.replace("V: 1", "V: 0x" + "f" * 6000).encode())
@example(data=VALID.replace("first.workspace", "fi$(A)rst.workspace").encode())
def test_any_file_gives_a_plan_or_messages_with_places(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="mtui-spec-") as folder:
        path = Path(folder) / "study.yaml"
        path.write_bytes(data)
        (path.parent / "rows.csv").write_text(ROWS)
        try:
            study, problems = load_study(path)
            plan = make_plan(study, out="/out", spec_root="/specs", cwd="/", problems=problems)
        except SpecError as error:
            found = error.problems
            assert any(not problem.warning for problem in found)
        else:
            found = problems.warnings
            json.dumps(plan_as_json(plan))
            assert cost_of(plan).node_hours >= 0
    # Lines as YAML counts them; a message on the end of the file is on the line after the last one.
    lines = len(data.decode(errors="replace").splitlines()) + 1
    for problem in found:
        assert problem.message
        assert 0 <= problem.place.line <= lines
        assert (problem.place.column >= 1) == (problem.place.line >= 1)
