"""Random specs that Maestro and mtui both run; what only one of them runs is in tests/conformance/deviations.py."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st

Spec = dict[str, Any]

# No name is another one with a "_" and a label behind it: such an instance would have the name of a step.
NAMES = ("run", "run-2", "run.2", "runs", "a", "ab", "a-b", "B2", "post", "x.y", "z_z", "n0")
KEYS = ("SIZE", "ITER", "t.x", "n-1")
WORD_KEYS = ("SIZE", "ITER")  # numeric run keys take tokens of one word only
LABELS = ("{key}.%%", "%%", "v%%-x", "%%.%%", "{key}%%", "same")
ENV_NAMES = ("VAR", "ROOT", "LIST", "L1", "L2", "SIZE")  # the last one hides a parameter
WORDS = ("echo", "$(date)", "$((1+2))", "${X}", "$(NOPE)", "'quoted'", "$( SIZE )", "100%", "\\1", "a.b", "#SBATCH -x")

_value = st.one_of(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.]{0,4}", fullmatch=True), st.integers(0, 12), st.booleans(), st.just(0.5)
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A spec as the tree that YAML makes of it."""
    parameters = draw(_parameters())
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 8))]
    env = draw(_environments(list(parameters)))
    tokens = [f"$({key}{end})" for key in parameters for end in ("", "", "", ".label", ".name", ".other")]
    env_tokens = [f"$({name})" for name in _env_names(env)]
    batch = draw(_batches())
    steps: list[Spec] = []
    ancestors: dict[str, set[str]] = {}
    for name in names:
        depends = draw(_dependencies([step["name"] for step in steps]))
        parents = {written.replace("_*", "").replace("*", "") for written in depends}
        ancestors[name] = parents.union(*(ancestors[parent] for parent in parents))
        own = draw(st.lists(st.sampled_from(tokens), max_size=2)) if tokens else []
        run = draw(_runs(own, env_tokens, sorted(ancestors[name])))
        if depends:
            run["depends"] = depends
        description = draw(st.sampled_from(("does it", "two\nlines", *own, *env_tokens)))
        steps.append({"name": name, "description": description, "run": run})
    steps[0]["run"]["cmd"] += " ".join(["\necho", *env_tokens])
    spec: Spec = {"description": {"name": "t", "description": "d"}, "study": steps}
    spec |= {key: value for key, value in (("env", env), ("batch", batch)) if value}
    if parameters:
        spec["global.parameters"] = parameters
    return spec


@st.composite
def _parameters(draw: st.DrawFn) -> dict[str, Spec]:
    keys = draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True))
    rows = draw(st.integers(0, 5)) if draw(st.integers(0, 9)) == 0 else draw(st.integers(1, 5))
    found: dict[str, Spec] = {}
    for key in keys:
        pool = draw(st.lists(_value, min_size=1, max_size=4))  # few, so that they repeat
        values = draw(st.lists(st.sampled_from(pool), min_size=rows, max_size=rows))
        found[key] = {"values": values, "label": draw(st.sampled_from(LABELS)).format(key=key)}
    return found


@st.composite
def _environments(draw: st.DrawFn, parameters: list[str]) -> Spec:
    if draw(st.booleans()):
        return {}
    names: list[str] = [*draw(st.lists(st.sampled_from(ENV_NAMES), min_size=1, max_size=5, unique=True))]
    if draw(st.booleans()):
        names.insert(draw(st.sampled_from((0, 0, len(names)))), "OUTPUT_PATH")
    # Mostly each other, so that the order counts in which they are put in.
    dependencies = ["DEP"] if draw(st.booleans()) else []
    others = ("VAR", "DEP", "OUTPUT_PATH", "SPECROOT", "WORKSPACE", *parameters)
    tokens = [f"$({name})" for name in (*(names + dependencies * 3) * 3, *others)]
    text = st.lists(st.sampled_from(("x", "/", *tokens)), min_size=1, max_size=3).map("".join)
    value = st.integers(0, 4).flatmap(lambda kind: text if kind else st.sampled_from((7, 1.50)))
    cut = draw(st.integers(0, len(names)))
    env: Spec = {"variables": {name: draw(value) for name in names[:cut]}}
    env["labels"] = {name: draw(st.one_of(value, st.sampled_from((True, "", ["$(VAR)"])))) for name in names[cut:]}
    if dependencies:
        env["dependencies"] = {"paths": [{"name": "DEP", "path": "/some/where"}]}
    return env


def _env_names(env: Spec) -> list[str]:
    names = [*env.get("variables", ()), *env.get("labels", ()), "OUTPUT_PATH", "SPECROOT"]
    return names + (["DEP"] if "dependencies" in env else [])


@st.composite
def _batches(draw: st.DrawFn) -> Spec:
    if draw(st.integers(0, 2)) == 0:
        return draw(st.sampled_from(({}, {"type": "local"}, {"shell": "/bin/sh -e"})))
    text = st.sampled_from(("", "m123"))
    batch: Spec = {"type": "slurm", "host": "h", "bank": draw(text), "queue": draw(text)}
    for key, values in (("nodes", (1, 0, "2-4")), ("procs", (7, 0)), ("qos", ("low", "")), ("reservation", ("r1",)),
                        ("shell", ("/bin/zsh",))):  # fmt: skip
        if draw(st.integers(0, 3)) == 0:
            batch[key] = draw(st.sampled_from(values))
    return batch


@st.composite
def _dependencies(draw: st.DrawFn, earlier: list[str]) -> list[str]:
    if not earlier:
        return []
    form = st.sampled_from(("{}", "{}", "{}_*", "{}*"))
    found = [draw(form).format(name) for name in draw(st.lists(st.sampled_from(earlier), max_size=3))]
    return list(dict.fromkeys(found))


@st.composite
def _runs(draw: st.DrawFn, own: list[str], env: list[str], ancestors: list[str]) -> Spec:
    run = draw(_resources([token for token in own if token[2:-1] in WORD_KEYS]))
    workspaces = [f"$({name}.workspace)" for name in ancestors]
    words = st.sampled_from((*WORDS, "$(WORKSPACE)", *own, *own, *env, *workspaces, *workspaces))
    for key in ("cmd", "restart"):
        if key == "cmd" or draw(st.integers(0, 3)) == 0:
            # Tokens are apart: Maestro reads $(a.workspace)/$(b.workspace) as the name of one step.
            line = st.lists(words, min_size=1, max_size=4).map(" ".join)
            lines = draw(st.lists(line, min_size=1, max_size=3))
            run[key] = draw(_launchers(run)) + "\n".join(lines) + draw(st.sampled_from(("", "\n")))
    if own and draw(st.booleans()):  # used, but not in cmd
        run[draw(st.sampled_from(("qos", "pre", "walltime")))] = draw(st.sampled_from(own))
    return run


@st.composite
def _launchers(draw: st.DrawFn, run: Spec) -> str:
    """The begin of a command, perhaps with launchers."""
    nodes, procs = run.get("nodes"), run.get("procs")
    if draw(st.booleans()) or (nodes and not procs):  # with nodes only, Maestro writes `srun -n  -N 2`
        return ""
    if isinstance(nodes, int) and isinstance(procs, int) and draw(st.booleans()):
        # Maestro reads one bracket per line, adds all of them up, and needs numbers to compare with.
        first = draw(st.integers(1, procs))
        brackets = [draw(st.sampled_from((f"[{nodes}n, {first}p]", f"[{first}p,{nodes}n]", f"[{first}p]")))]
        if procs > first and "n" not in brackets[0]:
            brackets.append(f"[{procs - first}p]")
        return "".join(f"$(LAUNCHER){bracket} ./x\n" for bracket in brackets)
    return draw(st.sampled_from(("$(LAUNCHER) ./x\n", "$(LAUNCHER) ./x; $(LAUNCHER) ./y ")))


@st.composite
def _resources(draw: st.DrawFn, tokens: list[str]) -> Spec:
    count = st.one_of(st.integers(1, 8), st.sampled_from(tokens)) if tokens else st.integers(1, 8)
    flag = st.booleans()
    choices: dict[str, st.SearchStrategy[Any]] = {
        "nodes": count,
        "procs": count,
        "cores per task": count,
        "gpus": count | st.just(0),
        "walltime": st.sampled_from(("00:10:00", "5", "1-00:00:00", 5, 0, "0", *(f"00:{word}:00" for word in tokens))),
        "qos": st.sampled_from(("debug", *(f"q{token}" for token in tokens))),
        "reservation": st.just("r2"),
        # Not by a token: a parameter's False is true to Maestro.
        "exclusive": flag | st.fixed_dictionaries({}, optional={"allocation": flag, "launcher": flag}),
        "priority": st.sampled_from(("low", 0.5)),
        "nested": flag,
        "post": st.just("rm"),
    }
    return {key: draw(value) for key, value in choices.items() if draw(st.integers(0, 3)) == 0}


def labels_are_unambiguous(spec: Spec) -> bool:
    """Whether different rows always have different labels when joined; mtui refuses a study if they do not."""
    columns = [
        [parameter["label"].replace("%%", str(value)) for value in parameter["values"]]
        for _, parameter in sorted(spec.get("global.parameters", {}).items())
    ]
    for size in range(2, len(columns) + 1):
        for chosen in itertools.combinations(columns, size):
            rows = set(zip(*chosen, strict=True))
            if len({".".join(row) for row in rows}) < len(rows):
                return False
    return True
