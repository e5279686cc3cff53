"""A good spec as a Study: everything that its author wrote, checked and with its places."""

from __future__ import annotations

from mtui.core.spec import Batch, Problems
from mtui.core.spec.problems import Place
from mtui.core.spec.study_parser import parse_study
from mtui.core.spec.study_spec import Dependency, DependencyKind, Parameter, StudySpec

TEXT = """\
description: {name: a name, description: what it does, author: me}
env:
  variables: {OUTPUT_PATH: ~/studies, N: 4, X: 1.50}
  labels: {L: $(N)-$(X), FLAG: yes, EMPTY: ""}
  dependencies:
    paths: [{name: P, path: lib}]
    git:
    - {name: G, path: clones, url: "https://example.org/g.git", tag: v1}
    - {name: H, path: clones, url: u, hash: abc}
    - {name: B, path: clones, url: u, branch: dev}
    - {name: D, path: clones, url: u}
batch: {type: slurm, host: h, bank: null, queue: "", nodes: 2, shell: /bin/sh -e}
mtui: {anything: here}
study:
- name: one
  description: first
  run:
    cmd: |
      echo 1
    nodes: $(N)
    procs: 2.0
    walltime: 1:30:00
    exclusive: {allocation: true, launcher: $(X)}
    priority: HIGH
- name: two
  description: second
  run: {cmd: x, restart: y, depends: [one, "one_*"], pre: p, qos: q}
global.parameters:
  S: {values: [1, 2.50, yes, null, [1, b], 1:30], label: S.%%-%%}
"""


def study() -> StudySpec:
    return parse_study(TEXT, Problems("study.yaml"))


def test_the_study_itself() -> None:
    made = study()
    assert (made.name, made.description, made.output_path) == ("a name", "what it does", "~/studies")
    assert (made.file, made.text) == ("study.yaml", TEXT)


def test_the_environment() -> None:
    entries = [(entry.name, entry.raw, entry.value) for entry in study().environment]
    assert entries == [
        ("OUTPUT_PATH", "~/studies", "~/studies"),
        ("N", 4, "4"),
        ("X", 1.5, "1.5"),
        ("L", "$(N)-$(X)", "$(N)-$(X)"),
        ("FLAG", True, "True"),
        ("EMPTY", "", ""),
    ]
    assert study().environment[1].place == Place(3, 39)


def test_the_dependencies() -> None:
    git = DependencyKind.GIT
    assert study().dependencies == (
        Dependency(DependencyKind.PATH, "P", "lib", place=Place(6, 13)),
        Dependency(git, "G", "clones", "https://example.org/g.git", "tags/v1", Place(8, 7)),
        Dependency(git, "H", "clones", "u", "abc", Place(9, 7)),
        Dependency(git, "B", "clones", "u", "dev", Place(10, 7)),
        Dependency(git, "D", "clones", "u", "", Place(11, 7)),
    )


def test_the_batch_block() -> None:
    batch = study().batch
    assert (batch.type, batch.shell, batch.is_scheduled, batch.place) == ("slurm", "/bin/sh -e", True, Place(12, 15))
    assert [batch.text(key) for key in ("nodes", "queue", "bank", "qos", "host")] == ["2", "", "", "", "h"]


def test_without_a_batch_block_everything_is_local() -> None:
    text = "description: {name: t, description: d}\nstudy:\n- {name: a, description: d, run: {cmd: x}}\n"
    assert parse_study(text, Problems("")).batch == Batch("local", "/bin/bash", {})


def test_the_steps() -> None:
    one, two = study().steps
    assert (one.name, one.description, one.cmd, one.restart, one.depends) == ("one", "first", "echo 1\n", "", ())
    assert one.run == {
        "nodes": "$(N)",
        "procs": 2.0,
        "walltime": "1:30:00",
        "exclusive": {"allocation": True, "launcher": "$(X)"},
        "priority": "HIGH",
    }
    assert (two.cmd, two.restart, two.depends) == ("x", "y", ("one", "one_*"))
    assert two.run == {"pre": "p", "qos": "q"}
    assert (one.place, two.depends_places) == (Place(15, 3), (Place(27, 39), Place(27, 44)))
    begin, end = one.sources["cmd"]
    assert TEXT[begin:end].startswith("|\n      echo 1\n")


def test_the_parameters() -> None:
    values = ("1", "2.5", "True", "None", "[1, 'b']", "1:30")
    labels = tuple(f"S.{value}-{value}" for value in values)
    assert study().parameters == (Parameter("S", values, labels, "S", Place(29, 3)),)
