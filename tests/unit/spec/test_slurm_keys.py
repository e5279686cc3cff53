"""Options of Slurm as keys of `batch` and of `mtui: steps:`: what each takes, and what is said of wrong values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.planning import HEAD, headers, hints, plan_and_problems, plan_of, problem_lines

STEP = "study: [{name: a, description: d, run: {cmd: c, procs: 1}}]\n"


def in_batch(keys: str) -> str:
    return f"{HEAD}batch: {{type: slurm, host: h, bank: '', queue: '', {keys}}}\n{STEP}"


def in_step(keys: str) -> str:
    return f"{HEAD}batch: {{type: slurm, host: h, bank: '', queue: ''}}\n{STEP}mtui: {{steps: {{a: {{{keys}}}}}}}\n"


KEYS = {
    "constraint: gpu&hbm80g": "--constraint=gpu&hbm80g",
    "constraint: 'a b'": '--constraint="a b"',
    "mem: 16G": "--mem=16G",
    "mem: 0": "--mem=0",
    "mem: 500": "--mem=500",
    "mem per cpu: 2g": "--mem-per-cpu=2g",
    "gpus per node: 4": "--gpus-per-node=4",
    "gpus per node: a100:4": "--gpus-per-node=a100:4",
    "gpus per task: 1": "--gpus-per-task=1",
    "licenses: [scratch, cfs]": "--licenses=scratch,cfs",
    "licenses: matlab:2": "--licenses=matlab:2",
    "exclude: [n1, n2]": "--exclude=n1,n2",
    "exclude: 'nid[001-4]'": "--exclude=nid[001-4]",
    "dependency: afterok:123:124": "--dependency=afterok:123:124",
    "dependency: singleton": "--dependency=singleton",
    "mail type: [END, FAIL]": "--mail-type=END,FAIL",
    "mail type: time_limit_80": "--mail-type=time_limit_80",
    "sbatch: ['--hint=nomultithread']": "--hint=nomultithread",
    "sbatch: ['-G 4']": "-G 4",
}


@pytest.mark.parametrize(("key", "line"), KEYS.items())
@pytest.mark.parametrize("place", [in_batch, in_step])
def test_key_becomes_a_line_of_the_header(place: Callable[[str], str], key: str, line: str) -> None:
    assert headers(plan_of(place(key)))["a"][-1] == line


def test_cores_per_task_can_be_given_for_all_steps() -> None:
    text = in_batch("cores per task: 8").replace("cmd: c", "cmd: $(LAUNCHER) c")
    assert "--cpus-per-task=8" in headers(plan_of(text))["a"]
    assert problem_lines(in_batch("cores per task: 8")) == []


def test_partition_and_account_can_be_given_for_one_step() -> None:
    lines = headers(plan_of(in_step("queue: debug, bank: m1")))["a"]
    assert {"--partition=debug", "--account=m1"} <= set(lines)


def test_step_has_the_last_word_and_free_options_add_up() -> None:
    text = in_step("constraint: gpu, sbatch: ['--x=2']").replace(
        "queue: ''", "queue: '', constraint: cpu, mem: 1G, sbatch: ['--x=1', --y]"
    )
    assert headers(plan_of(text))["a"][-5:] == ["--constraint=gpu", "--mem=1G", "--x=1", "--y", "--x=2"]


def test_parameters_and_env_are_allowed_in_the_keys_of_a_step() -> None:
    text = (
        in_step("mem: $(M)G, constraint: $(WHERE), sbatch: ['--hint=$(H)']")
        + "env: {variables: {WHERE: cpu}}\nglobal.parameters:\n"
        "  M: {values: [1, 2], label: M.%%}\n  H: {values: [x, y], label: H.%%}\n"
    )
    plan, problems = plan_and_problems(text)
    assert (problems, plan and plan.steps[0].used) == ([], ("H", "M"))
    lines = headers(plan_of(text))
    assert lines["a_H.x.M.1"][-3:] == ["--constraint=cpu", "--mem=1G", "--hint=x"]
    assert lines["a_H.y.M.2"][-3:] == ["--constraint=cpu", "--mem=2G", "--hint=y"]


def test_empty_value_leaves_the_line_out() -> None:
    keys = "constraint: '', mem: '', licenses: , sbatch: "
    assert headers(plan_of(in_batch(keys)))["a"] == headers(plan_of(in_batch("qos: ''")))["a"]


@pytest.mark.parametrize(
    ("keys", "message", "hint"),
    [
        ("mem: lots", "'mem' cannot be 'lots'", "write for example mem: 16G"),
        ("mem: 1.5G", "'mem' cannot be '1.5G'", "write for example mem: 16G"),
        ("mem: [1G]", "'mem' must be text, but is a list", "mem: 16G"),
        ("gpus per node: many", "'gpus per node' cannot be 'many'", "write for example gpus per node: 4, or a100:4"),
        ("dependency: 123", "'dependency' cannot be '123'", "write for example dependency: afterok:1234567"),
        ("mail type: [END, NEVER]", "'mail type' cannot be 'NEVER'", "write for example mail type: END,FAIL"),
        ("constraint: yes", "'constraint' must be text, but is true/false", "constraint: gpu&hbm80g"),
        ("constraint: 'a\"b'", "'constraint' must be one line without quotes", ""),
        ('constraint: "a\\nb"', "'constraint' must be one line without quotes", ""),
        ("sbatch: --x", "'sbatch' must be a list, but is text", "write it as [a, b] or '- a' lines"),
        ("sbatch: [5]", "'sbatch' holds a whole number", "write for example '--hint=nomultithread'"),
        ("sbatch: [hint]", "'sbatch': 'hint' is not an option", "an option begins with '-' or '--'"),
        ('sbatch: ["--x\\n#SBATCH --y"]', "'sbatch': an option must be one line", ""),
        (
            "sbatch: [--output=x]",
            "'sbatch': '--output=x' cannot be given here; mtui sets it to find jobs and their output",
            "a line '#SBATCH ...' at the top of cmd is passed unchanged",
        ),
    ],
)
@pytest.mark.parametrize("place", [in_batch, in_step])
def test_wrong_value_is_reported_with_its_place_and_a_hint(
    place: Callable[[str], str], keys: str, message: str, hint: str
) -> None:
    text = place(keys)
    (line,) = problem_lines(text)
    number, column, words = line.split(":", 2)
    assert words.endswith(message)
    where = text.split("\n")[int(number) - 1]
    value = keys.partition(": ")[2]
    assert where[int(column) - 1 :].startswith(value[:1]) or value in where
    assert hints(text) == [hint]
    assert plan_and_problems(text)[0] is None


@pytest.mark.parametrize(
    "option", ["-J x", "--job-name=x", "-o f", "-a 1-3", "--array=1", "--wrap=x", "-W", "--parsable"]
)
def test_option_by_which_jobs_are_found_is_refused(option: str) -> None:
    (line,) = problem_lines(in_step(f"sbatch: ['{option}']"))
    assert f"'{option}' cannot be given here" in line


def test_mail_to_nobody_and_for_nothing_is_reported() -> None:
    assert problem_lines(in_batch("mail user: ada@example.org")) == [
        "2:52: warning: batch: 'mail user' alone sends nothing"
    ]


def test_token_in_batch_stays_as_it_is_and_is_reported() -> None:
    assert problem_lines(in_batch("mem: $(M)G")) == ["2:57: warning: batch: tokens are not replaced in 'mem'"]


# --- `mtui: steps:` itself

LIST = "write it as [a, b] or '- a' lines"


@pytest.mark.parametrize(
    ("block", "message", "hint"),
    [
        ("{b: {mem: 1G}}", "4:16: mtui: steps: 'b' is not a step of this study", "known: a"),
        ("{a: {memory: 1G}}", "4:20: mtui: steps: a: unknown key 'memory'", "did you mean 'mem'?"),
        ("{a: {walltime: 5}}", "4:20: mtui: steps: a: 'walltime' belongs into the step's 'run'", ""),
        ("{a: 5}", "4:19: mtui: steps: a must be a mapping (key: value), but is a whole number", ""),
        ("[a]", "4:15: mtui: steps must be a mapping (key: value), but is a list", ""),
        ("{a: {after: [b]}}", "4:28: step 'a' depends on 'b', which is not a step of this study", "known: a"),
        ("{a: {after: a}}", "4:27: mtui: steps: a: after must be a list, but is text", LIST),
        ("{a: {after: [a]}}", "4:28: step 'a' depends on itself", ""),
        ("{a: {after: [5]}}", "4:28: mtui: steps: a: after must list step names, but holds a whole number", ""),
        ("{a: {group: [a]}}", "4:28: step 'a': group names 'a', but its 'depends' has no 'a_*'", ""),
    ],
)  # fmt: skip
def test_wrong_words_about_a_step_are_reported_with_their_place(block: str, message: str, hint: str) -> None:
    text = f"{HEAD}batch: {{type: slurm, host: h, bank: '', queue: ''}}\n{STEP}mtui: {{steps: {block}}}\n"
    assert (problem_lines(text), hints(text)) == ([message], [hint])
    assert plan_and_problems(text)[0] is None
