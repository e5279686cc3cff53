"""Scripts are whole: shebang, Slurm's header, the command with every token replaced."""

from __future__ import annotations

import pytest

from mtui.core.plan.instance_script import render
from tests.unit.planning import HEAD, SLURM, commands, headers, plan_of, problem_lines

BATCH = "batch: {type: slurm, host: h, bank: m1, queue: regular%s}\n"


def study(run: str, batch: str = SLURM, description: str = "d", parameters: str = "") -> str:
    sweep = f"global.parameters: {{P: {{values: {parameters}, label: P.%%}}}}\n" if parameters else ""
    return f"{HEAD}{batch}study:\n- {{name: a, description: {description}, run: {{cmd: x, {run}}}}}\n{sweep}"


def header(run: str, batch: str = SLURM, description: str = "d", parameters: str = "") -> list[str]:
    """The header of the first instance without the lines that are always there."""
    found = next(iter(headers(plan_of(study(run, batch, description, parameters))).values()))
    return [line for line in found if not line.startswith(("--job-name", "--output", "--error", '--comment "d"'))]


def test_every_line_of_the_header_in_its_order() -> None:
    text = f"""{HEAD}
batch: {{type: slurm, host: h, bank: m1, queue: regular, nodes: 9, qos: low, reservation: r0, shell: /bin/zsh -f}}
study:
- name: a b
  description: |
    one "two"
    three
  run:
    cmd: $(LAUNCHER) ./a
    restart: $(LAUNCHER)[1p] ./a --again
    nodes: 2
    procs: 4
    cores per task: 8
    gpus: 1
    walltime: 1:30:00
    qos: high
    reservation: r1
    exclusive: true
"""
    plan = plan_of(text)
    script = render(plan, plan.instances[0])
    assert (
        script.body
        == """\
#!/bin/zsh -f
#SBATCH --nodes=2
#SBATCH --partition=regular
#SBATCH --account=m1
#SBATCH --time=1:30:00
#SBATCH --job-name="a_b"
#SBATCH --output="a_b.out"
#SBATCH --error="a_b.err"
#SBATCH --comment "one "two" three "
#SBATCH --reservation="r1"
#SBATCH --gres=gpu:1
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=8
#SBATCH --exclusive
#SBATCH --qos=high

srun -n 4 -N 2 -c 8 ./a
"""
    )
    assert script.restart == script.body.replace("-n 4 -N 2 -c 8 ./a", "-n 1 -c 8 ./a --again")
    assert plan.script_name(plan.instances[0]) == "a_b.slurm.sh"
    assert plan.script_name(plan.instances[0], restart=True) == "a_b.restart.slurm.sh"


@pytest.mark.parametrize(
    ("run", "batch", "expected"),
    [
        ("procs: 4", SLURM, ["--ntasks=4"]),
        ("nodes: 2", SLURM, ["--nodes=2"]),
        ("nodes: 2, procs: 4", SLURM, ["--nodes=2", "--ntasks=4"]),
        ("nodes: 2, cores per task: 3", SLURM, ["--nodes=2", "--cpus-per-task=3"]),
        ("procs: 4", BATCH % ", nodes: 3", ["--nodes=3", "--partition=regular", "--account=m1", "--ntasks=4"]),
        ("nodes: 2", BATCH % ", procs: 7", ["--nodes=2", "--partition=regular", "--account=m1", "--ntasks=7"]),
        ("procs: 2", BATCH % ", procs: 7", ["--partition=regular", "--account=m1", "--ntasks=2"]),
        ("procs: 2", BATCH % ", qos: q1", ["--partition=regular", "--account=m1", "--ntasks=2", "--qos=q1"]),
        ("procs: 2, gpus: 0, walltime: 0, exclusive: false", SLURM, ["--ntasks=2"]),
        ("procs: 2, walltime: '0'", SLURM, ["--time=0", "--ntasks=2"]),
        ("nodes: 2.0, walltime: 90.0", SLURM, ["--nodes=2", "--time=90"]),
        ("procs: 2, exclusive: {allocation: true}", SLURM, ["--ntasks=2", "--exclusive"]),
        ("procs: 2, exclusive: {launcher: true}", SLURM, ["--ntasks=2"]),
        ("procs: 2, walltime: 10:00", SLURM, ["--time=10:00", "--ntasks=2"]),
    ],
)
def test_lines_of_the_header(run: str, batch: str, expected: list[str]) -> None:
    assert header(run, batch) == expected


@pytest.mark.parametrize(
    ("run", "values", "expected"),
    [
        ("procs: $(P)", "[6]", ["--ntasks=6"]),
        ("procs: 1, gpus: $(P)", "[0]", ["--gres=gpu:0", "--ntasks=1"]),
        ("procs: 1, walltime: '00:$(P):00'", "[15]", ["--time=00:15:00", "--ntasks=1"]),
        ("procs: 1, qos: q$(P.label)", "[1]", ["--ntasks=1", "--qos=qP.1"]),
        ("procs: 1, exclusive: $(P)", "[true]", ["--ntasks=1", "--exclusive"]),
        ("procs: 1, exclusive: $(P)", "[false]", ["--ntasks=1"]),
        ("procs: 1, exclusive: {allocation: $(P)}", "[no]", ["--ntasks=1"]),
    ],
)
def test_parameters_in_the_header(run: str, values: str, expected: list[str]) -> None:
    assert header(run, parameters=values) == expected


@pytest.mark.parametrize(
    ("description", "comment"),
    [
        ("of $(P)", '--comment "of 5"'),
        ("'say \"$(P)\"'", '--comment "say "5""'),
        ("'$(P)\" disk'", '--comment "5\' disk"'),
        (r"'a\b'", r'--comment "a\b"'),
        (r"'reads from D:\data\'", r'--comment "reads from D:\\data\\"'),
        (r"'ends \\'", r'--comment "ends \\"'),
        ("'He said \"hello world\" loudly'", "--comment \"He said 'hello world' loudly\""),
        ("'a \"b#c\" d'", "--comment \"a 'b#c' d\""),
        ("'a \"it''s\" b'", "--comment \"a 'it's' b\""),
        ("'x" + 2000 * "y" + "'", f'--comment "x{996 * "y"}..."'),
        ("'" + 600 * "ä" + "'", f'--comment "{498 * "ä"}..."'),
    ],
)
def test_the_description_as_comment(description: str, comment: str) -> None:
    assert comment in header("procs: 1", description=description, parameters="[5]")


@pytest.mark.parametrize(
    ("run", "scheduled"), [("nodes: 1", True), ("procs: 1", True), ("gpus: 1", False), ("qos: x", False)]
)
def test_nodes_or_procs_make_a_step_a_job(run: str, scheduled: bool) -> None:
    plan = plan_of(study(run, BATCH % ", nodes: 2, procs: 2"))
    assert plan.steps[0].scheduled is scheduled
    assert plan.uses_slurm is scheduled
    assert render(plan, plan.instances[0]).body.startswith("#!/bin/bash\n#SBATCH" if scheduled else "#!/bin/bash\n\n")
    assert plan.script_name(plan.instances[0]) == "a.slurm.sh"


@pytest.mark.parametrize("batch", ["", "batch: {type: local}\n", "batch:\n", "batch: {shell: /bin/sh}\n"])
def test_without_slurm_everything_is_local(batch: str) -> None:
    plan = plan_of(study("nodes: 1, procs: 2", batch))
    assert not plan.uses_slurm
    assert plan.script_name(plan.instances[0]) == "a.sh"
    assert render(plan, plan.instances[0]).body.endswith("sh\n\nx\n")


def test_a_slurm_study_can_run_here() -> None:
    text = HEAD + SLURM + "study:\n- {name: a, description: d, run: {cmd: '$(LAUNCHER)[2p] ./x', procs: 2}}\n"
    plan = plan_of(text, local=True)
    assert (plan.uses_slurm, plan.script_name(plan.instances[0])) == (False, "a.sh")
    assert commands(plan) == {"a": " ./x"}


@pytest.mark.parametrize("kind", ["lsf", "flux"])
def test_a_study_for_another_scheduler_can_run_here_only(kind: str) -> None:
    text = (
        HEAD
        + f"batch: {{type: {kind}}}\nstudy:\n- {{name: a, description: d, run: {{cmd: $(LAUNCHER) x, nodes: 2}}}}\n"
    )
    assert problem_lines(text) == [f"2:15: batch: mtui has no '{kind}' scheduler"]
    assert commands(plan_of(text, local=True)) == {"a": " x"}


def test_directives_of_the_user_follow_the_header() -> None:
    text = HEAD + SLURM + "study:\n- {name: a, description: d, run: {cmd: '#SBATCH --mem=1G', procs: 1}}\n"
    plan = plan_of(text)
    assert "#SBATCH --ntasks=1\n\n#SBATCH --mem=1G\n" in render(plan, plan.instances[0]).body


def test_no_restart_no_restart_script() -> None:
    plan = plan_of(study("procs: 1"))
    assert render(plan, plan.instances[0]).restart is None


def test_tokens_are_replaced_before_the_launchers_bracket_is_read() -> None:
    text = HEAD + SLURM + (
        "env: {variables: {N: 1}}\nstudy:\n- {name: a, description: d,"
        " run: {cmd: '$(LAUNCHER)[$(N)n, $(P)p] x', nodes: $(N), procs: $(P)}}\n"
        "global.parameters: {P: {values: [2, 3], label: P%%}}\n"
    )  # fmt: skip
    assert commands(plan_of(text)) == {"a_P2": "srun -n 2 -N 1 x", "a_P3": "srun -n 3 -N 1 x"}
