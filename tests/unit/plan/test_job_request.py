"""What a job requests, with the options that the author of its step wrote."""

from __future__ import annotations

import pytest

from mtui.core.engine.retry_policy import grow
from mtui.core.plan.cost import cost_of, nodes_asked
from mtui.core.plan.instance_script import render
from mtui.core.plan.job_request import JobRequest, author_job_name, job_request, most_of
from mtui.core.plan.study_plan import Plan
from tests.unit.planning import HEAD, SLURM, plan_of


def study(lines: str, run: str = 'procs: 1, walltime: "10"', more: str = "") -> Plan:
    step = f'- name: a\n  description: d\n  run: {{cmd: "{lines}\\nrun $(N)", {run}}}\n'
    rows = "global.parameters:\n  N: {values: [1, 4], label: N.%%}\n"
    return plan_of(f"{HEAD}{SLURM}study:\n{step}{rows}{more}")


def request(lines: str, run: str = 'procs: 1, walltime: "10"', instance: int = 0, **changes: str) -> JobRequest:
    plan = study(lines, run)
    return job_request(plan, plan.instances[instance], changes)


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ("#SBATCH --nodes=8 -t 2-0", {"nodes": "8", "walltime": "2-0"}),
        ("#SBATCH -N 2\\n#SBATCH -N3", {"nodes": "3"}),
        ("#SBATCH --qos debug -A m1 --part=p", {"qos": "debug", "bank": "m1", "queue": "p"}),
        ("#SBATCH --gres=gpu:2", {"gpus": "2"}),
        ("#SBATCH --gres=gpu", {"gpus": "1"}),
        ("#SBATCH --gres=gpu:a100:2", {"gpus": "2"}),
        ("#SBATCH --gres=shard:1,gpu:1g.5gb:3", {"gpus": "3"}),
        ("#SBATCH --gres=gpu:a100", {"gpus": "1"}),
        ("#SBATCH --gres=gpu:a100:2,gpu:v100:1", {}),
        ("#SBATCH --exclusive", {"exclusive": "true"}),
        ("#SBATCH -c4 --mem-per-cpu=2G", {"cores per task": "4", "mem per cpu": "2G"}),
        ("#SBATCH -d afterok:7", {"dependency": "afterok:7"}),
        ("true\\n#SBATCH -N 5", {}),
    ],
)
def test_authors_options_override_the_keys(lines: str, values: dict[str, str]) -> None:
    found = request(lines).values
    assert {key: value for key, value in found.items() if key not in ("procs", "walltime") or key in values} == values


def test_tokens_are_replaced_for_each_row() -> None:
    assert [request("#SBATCH --nodes=$(N)", instance=index).nodes for index in (0, 1)] == [1, 4]


def test_change_of_a_retry_comes_after_the_authors_options() -> None:
    assert request("#SBATCH --time=5 -N 3", walltime="20").values["walltime"] == "20"
    assert request("#SBATCH --time=5 -N 3", walltime="20").nodes == 3


def test_retry_rule_grows_what_the_author_wrote() -> None:
    plan = study("#SBATCH --time=00:05:00")
    assert grow("walltime", job_request(plan, plan.instances[0]).values["walltime"], 2) == "00:10:00"


@pytest.mark.parametrize(
    ("gres", "written"),
    [
        ("gpu:a100:2", "gpu:a100:4"),
        ("gpu:a100", "gpu:a100:4"),
        ("gpu:2", "gpu:4"),
        ("gpu", "gpu:4"),
        ("shard:1,gpu:1g.5gb:2", "shard:1,gpu:1g.5gb:4"),
        ("gpu:a100:1,gpu:v100:1", "gpu:4"),
    ],
)
def test_changed_number_of_gpus_keeps_the_authors_type(gres: str, written: str) -> None:
    plan = study(f"#SBATCH --gres={gres}")
    lines = render(plan, plan.instances[0], {"gpus": "4"}).body.splitlines()
    assert [line for line in lines if "--gres" in line][-1] == f"#SBATCH --gres={written}"


@pytest.mark.parametrize(
    ("text", "most"),
    [("4", 4), ("2-4", 4), ("1k", 1024), ("1,3-5", 5), ("2-8:2", 8), ("4-2", 4), ("", 0), ("many", 0), ("2-", 0)],
)
def test_most_nodes_of_a_count(text: str, most: int) -> None:
    assert most_of(text) == most


@pytest.mark.parametrize(
    ("lines", "nodes"),
    [
        ("#SBATCH -n 9 --ntasks-per-node=4", 3),
        ("#SBATCH -w n[1-3],login", 4),
        ("#SBATCH --nodelist=/tmp/hosts", 1),
        ("#SBATCH --gpus=8 --gpus-per-node=4", 2),
        ("#SBATCH --gpus=a100:8 --gpus-per-node=a100:4", 2),
        ("#SBATCH -n 9", 1),
    ],
)
def test_nodes_that_follow_from_other_options_are_counted(lines: str, nodes: int) -> None:
    assert request(lines).nodes == nodes


def test_cost_counts_the_authors_nodes_and_time_of_every_row() -> None:
    assert cost_of(study("#SBATCH --nodes=$(N) --time=02:00:00")).node_hours == 10.0
    assert cost_of(study("#SBATCH --nodes=3")).node_hours == 1.0
    assert cost_of(study("#SBATCH --time=UNLIMITED")).unknown == 2
    assert cost_of(study("#SBATCH -q debug")).by_qos == {"debug": 1 / 3}


def test_nodes_of_a_retry_are_those_that_it_changes() -> None:
    plan = study("#SBATCH --nodes=3")
    assert nodes_asked(plan, plan.instances[0]) == 3
    assert nodes_asked(plan, plan.instances[0], {"nodes": "5"}) == 5


@pytest.mark.parametrize(
    ("lines", "run", "written"),
    [
        ("#SBATCH -N 4", "nodes: 1, procs: 1", False),
        ("#SBATCH -N 4", "nodes: 1, procs: 64", True),
        ("#SBATCH -N 4", "procs: 1", True),  # Maestro writes it as well
        ("#SBATCH -N $(N)", "nodes: 1, procs: 1", True),  # of the first row: 1
        ("#SBATCH --ntasks-per-node=4", "nodes: 2, procs: 2", False),
        ("#SBATCH --mem=1G", "procs: 1", True),
    ],
)
def test_tasks_do_not_limit_what_the_author_requests(lines: str, run: str, written: bool) -> None:
    """Slurm reduces --nodes to the number of tasks, which Maestro's header does not name in a step with nodes."""
    plan = study(lines, run)
    assert ("#SBATCH --ntasks=" in render(plan, plan.instances[0]).body) is written


@pytest.mark.parametrize(
    ("lines", "key", "left_out"),
    [
        ("#SBATCH --mem-per-cpu=1G", "mem: 4G", "--mem="),
        ("#SBATCH --mem=1G", "mem per cpu: 4G", "--mem-per-cpu="),
        ("#SBATCH --mem-per-gpu=1G", "mem: 4G", "--mem="),
    ],
)
def test_key_yields_to_an_option_that_sbatch_would_not_accept_beside_it(lines: str, key: str, left_out: str) -> None:
    plan = study(lines, more=f"mtui: {{steps: {{a: {{{key}}}}}}}\n")
    header, _, _ = render(plan, plan.instances[0]).body.partition("\n\n")
    assert left_out not in header
    assert left_out in render(plan, plan.instances[0], {key.partition(":")[0]: "2G"}).body


def test_change_is_repeated_after_the_list_of_options() -> None:
    more = "mtui: {steps: {a: {sbatch: ['--time=5']}}}\n"
    plan = study("", more=more)
    body = render(plan, plan.instances[0], {"walltime": "20"}).body
    assert body.index("--time=5") < body.rindex("--time=20")
    assert job_request(plan, plan.instances[0]).values["walltime"] == "5"


def test_job_name_of_the_author() -> None:
    plan = study("#SBATCH -J first --job-name=mine-$(N)")
    assert [author_job_name(plan, instance) for instance in plan.instances] == ["mine-1", "mine-4"]
    assert author_job_name(study(""), study("").instances[0]) == ""
    local = study("#SBATCH -J x", run="walltime: '1'")
    assert author_job_name(local, local.instances[0]) == ""
