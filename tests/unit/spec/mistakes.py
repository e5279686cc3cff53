"""Studies with mistakes in the file or its steps, and everything that is said of each."""

from __future__ import annotations

from tests.unit.planning import HEAD

STEP = "study:\n- {name: a, description: d, run: {cmd: x}}\n"

# name: text of the study, everything that is said of it.
MISTAKES_IN_STEPS: dict[str, tuple[str, list[str]]] = {
    "nothing but env": (
        "env: {}\n",
        [
            "1:1: the study file has no 'description'",
            "1:1: the study file has no 'study'",
        ],
    ),
    "misspelt top-level key": (
        "descripton: {name: t, description: d}\n" + STEP,
        ["1:1: the study file: unknown key 'descripton'"],
    ),
    "a list": (
        "- a\n",
        ["1:1: the study file must be a mapping (key: value), but is a list"],
    ),
    "a word": (
        "hello\n",
        ["1:1: the study file must be a mapping (key: value), but is text"],
    ),
    "empty description": (
        "description:\n" + STEP,
        ["1:1: description is empty"],
    ),
    "name is a number": (
        "description: {name: 5, description: ''}\n" + STEP,
        [
            "1:21: description: 'name' must be text, but is a whole number",
            "1:37: description: 'description' is empty",
        ],
    ),
    "no steps": (
        "study: []\n",
        [
            "1:1: the study file has no 'description'",
            "1:1: study has no steps",
        ],
    ),
    "study is a mapping": (
        HEAD + "study: {a: b}\n",
        ["2:8: study must be a list, but is a mapping"],
    ),
    "study is null": (
        HEAD + "study:\n",
        ["2:1: study must be a list, but is empty"],
    ),
    "step is text": (
        HEAD + "study: [a]\n",
        ["2:9: step 1 must be a mapping (key: value), but is text"],
    ),
    # --- steps
    "misspelt name, which others depend on": (
        HEAD
        + """\
study:
- {nmae: a, description: d, run: {cmd: x}}
- {name: b, description: d, run: {cmd: x, depends: [a]}}
""",
        ["3:4: step 1: unknown key 'nmae'"],
    ),
    "cmd beside run": (
        HEAD
        + """\
study:
- name: a
  description: d
  cmd: x
""",
        ["5:3: step 'a': 'cmd' outside of 'run'"],
    ),
    "run's keys not indented": (
        HEAD
        + """\
study:
- name: a
  description: d
  run:
  cmd: x
  nodes: 1
""",
        ["6:3: step 'a': 'cmd', 'nodes' outside of 'run'"],
    ),
    "cmd beside a run of its own": (
        HEAD
        + """\
study:
- name: a
  description: d
  run:
    gpus: 1
  cmd: x
""",
        ["7:3: step 'a': 'cmd' outside of 'run'"],
    ),
    "empty run": (
        HEAD
        + """\
study:
- name: a
  description: d
  run:
""",
        ["5:3: step 'a': run is empty"],
    ),
    "misspelt run keys": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cdm: x, node: 1}}
""",
        [
            "3:35: step 'a': unknown key 'cdm'",
            "3:43: step 'a': unknown key 'node'",
        ],
    ),
    "mistakes on both levels of a step": (
        HEAD
        + """\
study:
- {name: a, run: {cmd: 5, bogus: x}}
""",
        [
            "3:3: step 'a' has no 'description'",
            "3:24: step 'a': 'cmd' must be text, but is a whole number",
            "3:27: step 'a': unknown key 'bogus'",
        ],
    ),
    "second step of a name": (
        HEAD + STEP + "- {name: a, description: d, run: {cmd: x}}\n",
        ["4:3: a second step named 'a'; the first is in line 3"],
    ),
    "token in a step's name": (
        HEAD
        + """\
env: {variables: {V: x}}
study:
- {name: a$(V), description: d, run: {cmd: x}}
""",
        ["4:3: step 'a$(V)': a step's name cannot hold env tokens"],
    ),
    "wrong values of run keys": (
        HEAD
        + """\
study:
- name: a
  description: d
  run:
    cmd: x
    nodes: "2"
    procs: two
    gpus: -1
    cores per task: $(A)$(B)
    walltime: [1]
    qos: 5
    exclusive: maybe
    restart: ""
    nested: 1
""",
        [
            "7:12: step 'a': 'nodes' is text, not a number",
            "8:12: step 'a': 'procs' must be an integer, but is 'two'",
            "9:11: step 'a': 'gpus' must be an integer of at least 0, not -1",
            "10:21: step 'a': 'cores per task' must be an integer, but is '$(A)$(B)'",
            "11:15: step 'a': 'walltime' must be a time, but is a list",
            "12:10: step 'a': 'qos' must be text, but is a whole number",
            "13:16: step 'a': 'exclusive' must be true or false, but is text",
            "14:14: step 'a': 'restart' is empty",
            "15:5: warning: step 'a': 'nested' has no effect on Slurm or local steps",
            "15:13: step 'a': 'nested' must be true or false, but is a whole number",
        ],
    ),
    "endless nodes": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: x, nodes: .inf, procs: 1.5}}
""",
        [
            "3:50: step 'a': 'nodes' must be an integer of at least 1, not inf",
            "3:63: step 'a': 'procs' must be an integer of at least 1, not 1.5",
        ],
    ),
    # --- dependencies
    "unknown dependency": (
        HEAD
        + """\
study:
- {name: simulate, description: d, run: {cmd: x}}
- {name: b, description: d, run: {cmd: x, depends: [simulat]}}
""",
        ["4:53: step 'b' depends on 'simulat', which is not a step of this study"],
    ),
    "parameter in depends": (
        HEAD
        + """\
study:
- {name: b, description: $(A), run: {cmd: x, depends: ['a_$(A)']}}
global.parameters: {A: {values: [1], label: A%%}}
""",
        ["3:56: step 'b' depends on 'a_$(A)', which is not a step of this study"],
    ),
    "depends on itself": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: x, depends: [a]}}
- {name: b, description: d, run: {cmd: x, depends: [b_*]}}
""",
        [
            "3:53: step 'a' depends on itself",
            "4:53: step 'b' depends on itself",
        ],
    ),
    "depends as text": (
        HEAD + STEP + "- {name: b, description: d, run: {cmd: x, depends: a}}\n",
        ["4:52: step 'b': depends must be a list, but is text"],
    ),
    "depends twice and on a number": (
        HEAD + STEP + "- {name: b, description: d, run: {cmd: x, depends: [a, a, 5]}}\n",
        [
            "4:56: step 'b': depends names 'a' twice",
            "4:59: step 'b': depends must list step names, but holds a whole number",
        ],
    ),
    "depends on stars and nothing": (
        HEAD + "study:\n- {name: a, description: d, run: {cmd: x, depends: ['_*', '']}}\n",
        [
            "3:53: step 'a' depends on '', which is not a step of this study",
            "3:59: step 'a': depends must list step names, but holds an empty one",
        ],
    ),
    "circle": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: x, depends: [c]}}
- {name: b, description: d, run: {cmd: x, depends: [a_*]}}
- {name: c, description: d, run: {cmd: x, depends: [b]}}
- {name: d, description: d, run: {cmd: x, depends: [c]}}
""",
        ["5:53: steps wait for each other in a circle: a -> b -> c -> a"],
    ),
    "circle through a workspace": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: ls $(b.workspace)}}
- {name: b, description: d, run: {cmd: x, depends: [a]}}
""",
        ["4:53: steps wait for each other in a circle: a -> b -> a"],
    ),
    "two circles": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: x, depends: [b]}}
- {name: b, description: d, run: {cmd: x, depends: [a]}}
- {name: c, description: d, run: {cmd: x, depends: [d]}}
- {name: d, description: d, run: {cmd: x, depends: [c]}}
""",
        [
            "4:53: steps wait for each other in a circle: a -> b -> a",
            "6:53: steps wait for each other in a circle: c -> d -> c",
        ],
    ),
    # --- workspaces
    "workspaces that are none": (
        HEAD
        + """\
study:
- name: a
  description: d
  run:
    cmd: |
      echo $(a.workspace)
      echo $(bb.workspace)
    restart: ls $(n_$(P).workspace)
- {name: b, description: d, run: {cmd: x}}
""",
        [
            "7:12: step 'a' uses its own $(a.workspace)",
            "8:12: step 'a': $(bb.workspace) is not a step of this study",
            "9:17: step 'a': $(n_$(P).workspace) is not a step of this study",
        ],
    ),
}
