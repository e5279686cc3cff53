"""Studies with mistakes outside of the steps, and everything that is said of each."""

from __future__ import annotations

from tests.unit.planning import HEAD, SLURM

from .mistakes import STEP

# name: text of the study, everything that is said of it.
MISTAKES_IN_BLOCKS: dict[str, tuple[str, list[str]]] = {
    # --- env
    "wrong variables": (
        HEAD + "env: {variables: {A: [1], B: yes, C: '', D: null, 1: x, '': y, E: {}}}\n" + STEP,
        [
            "2:22: env.variables: 'A' must be text or a number, but is a list",
            "2:30: env.variables: 'B' must be text or a number, but is true/false",
            "2:38: env.variables: 'C' must be text or a number, but is empty",
            "2:45: env.variables: 'D' must be text or a number, but is empty",
            "2:51: in env.variables, the key '1' is not text",
            "2:57: env.variables: a name is empty",
            "2:67: env.variables: 'E' must be text or a number, but is a mapping",
        ],
    ),
    "names of env": (
        HEAD
        + """\
env:
  variables: {OUTPUT_PATH: x, SPECROOT: y, A: 1}
  labels: {A: 2, N: null, OUTPUT_PATH: z}
  dependencies:
    paths: [{name: A, path: /a}, {name: F}]
"""
        + STEP,
        [
            "3:31: env: 'SPECROOT' is a reserved name",
            "4:12: env: the name 'A' is taken by line 3",
            "4:18: env.labels: 'N' is empty",
            "4:27: env: the name 'OUTPUT_PATH' is taken by line 3",
            "6:13: env: the name 'A' is taken by line 3",
            "6:34: an item of env.dependencies.paths has no 'path'",
        ],
    ),
    "git and spack": (
        HEAD + "env: {dependencies: {git: [{name: G, path: p, url: u, tag: t, hash: h}], spack: {}}}\n" + STEP,
        [
            "2:28: env.dependencies.git: only one of hash, tag can be given",
            "2:74: env.dependencies: spack is not supported",
        ],
    ),
    "sources that are no text": (
        HEAD + "env: {sources: [[a.sh], 5, b.sh]}\n" + STEP,
        [
            "2:7: warning: env.sources has no effect, as in Maestro: nothing is sourced",
            "2:17: env.sources: each source must be text, but this is a list",
            "2:25: env.sources: each source must be text, but this is a whole number",
        ],
    ),
    "unknown key of env": (
        HEAD + "env: {variable: {A: 1}}\n" + STEP,
        ["2:7: env: unknown key 'variable'"],
    ),
    "empty env": (
        HEAD + "env:\n" + STEP,
        ["2:1: env is empty"],
    ),
    # --- batch
    "type in capitals": (
        HEAD + "batch: {type: SLURM, bank: b}\n" + STEP,
        ["2:15: batch: unknown type 'SLURM'"],
    ),
    "another scheduler": (
        HEAD + "batch: {type: flux}\n" + STEP,
        ["2:15: batch: mtui has no 'flux' scheduler"],
    ),
    "slurm batch with mistakes": (
        HEAD + "batch: {type: slurm, bnk: b, queue: [q]}\n" + STEP,
        [
            "2:8: batch has no 'host'",
            "2:22: batch: unknown key 'bnk'",
            "2:37: batch: 'queue' must be one value, but is a list",
        ],
    ),
    "batch is text": (
        HEAD + "batch: slurm\n" + STEP,
        ["2:8: batch must be a mapping (key: value), but is text"],
    ),
    # --- parameters
    "wrong parameters": (
        HEAD
        + STEP
        + """\
global.parameters:
  A: {values: [1, 2], label: [a, b]}
  B: {values: 5, label: B}
  C: {value: [1, 2], label: C%%}
  D: {values: [1], label: D%%}
  E: {values: [1, 2], label: E%%, name: e}
""",
        [
            "5:30: parameter 'A': label must be one text such as A.%%",
            "6:15: parameter 'B': values must be a list, but is a whole number",
            "7:7: parameter 'C': unknown key 'value'",
            "8:3: parameter 'D' has 1 values, but 'A' has 2",
            "9:35: parameter 'E': unknown key 'name'",
        ],
    ),
    # --- found while planning
    "launchers that ask for too much": (
        HEAD
        + SLURM
        + """\
study:
- {name: a, description: d, run: {cmd: "x; $(LAUNCHER)[9p] x", procs: 4}}
- {name: b, description: d, run: {cmd: "$(LAUNCHER)[2n] x", procs: 4}}
- {name: c, description: d, run: {cmd: x, restart: "$(LAUNCHER)[3n, 1p] x", nodes: 2}}
""",
        [
            "4:44: step 'a': $(LAUNCHER)[9p] uses 9 procs, but the step requests 4",
            "5:41: step 'b': $(LAUNCHER)[2n] does not set the number of tasks",
            "6:53: step 'c': $(LAUNCHER)[3n, 1p] uses 3 nodes, but the step requests 2",
        ],
    ),
    "names too long": (
        HEAD + f"study:\n- {{name: {'n' * 250}, description: d, run: {{cmd: x}}}}\n",
        [f"3:3: the name of '{'n' * 60}...' is too long for a file (250 characters)"],
    ),
    "many rows that collide": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: echo $(P)}}
global.parameters: {P: {values: [x, 'x,', ',x', 'x;'], label: '%%'}}
""",
        ["3:3: 'a_x' and 'a_x,' would share the directory 'a/x'"],
    ),
}
