"""Which `#SBATCH` lines a plan refuses or warns about, with their places."""

from __future__ import annotations

import pytest

from tests.unit.planning import HEAD, SLURM, hints, plan_and_problems, problem_lines

ROWS = "global.parameters:\n  N: {values: ['1,2', '3-5', '7'], label: N.%%}\n"


def study(*lines: str, run: str = "procs: 1", more: str = "") -> str:
    cmd = "".join(f"      {line}\n" for line in lines)
    return f"{HEAD}{SLURM}study:\n- name: a\n  description: d\n  run:\n    {run}\n    cmd: |\n{cmd}{more}"


def test_refusal_names_line_and_column_and_what_to_write() -> None:
    text = study("# first", "#SBATCH --nodes=1", "#SBATCH --array=0-3", "true")
    assert problem_lines(text) == [
        "11:7: step 'a': '#SBATCH --array=0-3' makes an array of tasks, which mtui cannot track"
    ]
    assert hints(text)[0].startswith("make the numbers a parameter: 'N: {range: [0, 3]}'")
    assert plan_and_problems(text)[0] is None


def test_warning_does_not_keep_the_study_from_running() -> None:
    text = study("#SBATCH --chdir=/tmp", "true")
    plan, (problem,) = plan_and_problems(text)
    assert plan is not None
    assert problem.warning
    assert problem.place.line == 9


def test_options_of_all_rows_are_checked_and_reported_once() -> None:
    text = study("#SBATCH --array=$(N)", "true", more=ROWS)
    assert problem_lines(text) == [
        "9:7: step 'a': '#SBATCH --array=1,2' makes an array of tasks, which mtui cannot track"
    ]


@pytest.mark.parametrize(
    "cmd", ['"#SBATCH --array=1\\ntrue"', "'#SBATCH --array=1'", "|-\n      #SBATCH --array=1\n      true"]
)
def test_place_is_that_of_the_text_however_it_is_written(cmd: str) -> None:
    text = f"{HEAD}{SLURM}study:\n- name: a\n  description: d\n  run:\n    procs: 1\n    cmd: {cmd}\n"
    (line,) = problem_lines(text)
    number, column, _ = line.split(":", 2)
    assert text.split("\n")[int(number) - 1][int(column) - 1 :].startswith("#SBATCH")


def test_token_of_the_environment_is_replaced_first() -> None:
    text = study("#SBATCH $(WHAT)", "true").replace("study:", "env: {variables: {WHAT: '--array=1-2'}}\nstudy:", 1)
    assert "'#SBATCH --array=1-2' makes an array" in problem_lines(text)[0]


def test_restart_is_checked_as_well() -> None:
    text = study("true", more="    restart: |\n      #SBATCH hetjob\n      true\n")
    assert problem_lines(text) == [
        "11:7: step 'a': '#SBATCH hetjob' makes a heterogeneous job, which mtui cannot track"
    ]


def test_step_on_this_machine_is_warned_that_its_lines_have_no_effect() -> None:
    text = study("#SBATCH --array=1-3", "true", run="walltime: '5'")
    assert problem_lines(text) == [
        "9:7: warning: step 'a': its #SBATCH lines have no effect, because it runs on this machine"
    ]
    assert hints(text) == ["give the step 'nodes' or 'procs' to run it in a Slurm job"]
    assert problem_lines(text, local=True) == []


def test_step_that_runs_here_though_it_requests_what_only_a_job_gets_is_warned_about() -> None:
    run = "{cmd: x, walltime: '1:00:00', cores per task: 8, gpus: 1}"
    text = f"{HEAD}{SLURM}study: [{{name: a, description: d, run: {run}}}]\n"
    words = "'cores per task', 'gpus' without effect, because it runs on this machine"
    assert problem_lines(text) == [f"3:86: warning: step 'a': {words}"]
    assert problem_lines(text, local=True) == []
    assert problem_lines(text.replace("gpus: 1", "gpus: 1, procs: 1")) == []


def test_line_of_another_batch_system_is_warned_about_where_it_is() -> None:
    text = study("#SBATCH -n 1", "true", "#PBS -l walltime=1:00")
    assert problem_lines(text) == ["11:7: warning: step 'a': '#PBS -l walltime=1:00' has no effect"]


def test_quotation_mark_without_its_counterpart_is_warned_about() -> None:
    assert "has an unmatched quotation mark; sbatch rejects it" in problem_lines(study('#SBATCH --comment="x'))[0]


def test_list_of_options_is_checked_for_what_has_no_effect() -> None:
    text = study("true", more="mtui: {steps: {a: {sbatch: ['--dependency=singleton']}}}\n")
    assert "does not wait" in problem_lines(text)[0]


@pytest.mark.parametrize("item", ["--clusters=x,y", "hetjob", "--uid=1", "-M all"])
def test_list_of_options_refuses_what_cannot_be_tracked(item: str) -> None:
    text = study("true", more=f"mtui: {{steps: {{a: {{sbatch: ['{item}']}}}}}}\n")
    assert plan_and_problems(text)[0] is None


def test_lines_after_the_first_command_are_not_read() -> None:
    assert problem_lines(study("true", "#SBATCH --array=1-3")) == [
        "10:7: warning: step 'a': '#SBATCH --array=1-3' has no effect: sbatch does not read it"
    ]
    assert problem_lines(study("#SBATCH -n 1", " #SBATCH -n 2"))[0].startswith(
        "10:8: warning: step 'a': '#SBATCH -n 2' has no"
    )


def test_lines_of_a_script_that_the_step_writes_are_left_alone() -> None:
    assert problem_lines(study("cat >job.sh <<END", "#SBATCH --array=1-3", "END")) == []


def test_nodes_that_the_tasks_of_the_step_reduce_are_warned_about() -> None:
    lines = problem_lines(study("#SBATCH --nodes=2", "true"))
    assert lines == [
        "9:7: warning: step 'a': '#SBATCH --nodes=2' has no full effect: "
        "Slurm gives a job of 1 task no more nodes than that"
    ]
    assert hints(study("#SBATCH -N 2", "true")) == ["write 'nodes: 2' in the step's run block, or more procs"]
    assert problem_lines(study("#SBATCH -N 2 -n 2", "true")) == []
    assert problem_lines(study("#SBATCH -N 2", "true", run="nodes: 1")) == []


@pytest.mark.parametrize("option", ["--clusters=alpha", "-M alpha"])
def test_cluster_of_a_line_or_a_list_is_said_to_be_checked_at_submission(option: str) -> None:
    listed = study("true", more=f"mtui: {{steps: {{a: {{sbatch: ['{option}']}}}}}}\n")
    for text in (study(f"#SBATCH {option}", "true"), listed):
        plan, (problem,) = plan_and_problems(text)
        assert plan is not None
        assert problem.warning
        assert f"{option}' is checked at submission" in problem.message


def test_burst_buffer_lines_of_a_step_on_this_machine_have_no_effect() -> None:
    text = study("#BB create", "true", run="walltime: '5'")
    assert problem_lines(text) == [
        "9:7: warning: step 'a': '#BB create' has no effect, because it runs on this machine"
    ]


def test_backslash_before_a_blank_is_warned_about() -> None:
    found = problem_lines(study(r"#SBATCH --comment=a\ b"))
    assert "has a backslash before a blank; versions of Slurm read that differently" in found[0]


def test_rule_that_multiplies_what_the_step_does_not_request_is_warned_about() -> None:
    rule = "mtui: {retry: {OUT_OF_MEMORY: {times: 1, gpus: x2, walltime: x2}}}\n"
    (line,) = problem_lines(study("#SBATCH --gpus=a100:4 -t 5", "true", more=rule))
    assert "'gpus' has no effect, because the step has no 'gpus', only '--gpus=a100:4'" in line
    assert problem_lines(study("#SBATCH --gres=gpu:a100:4 -t 5", "true", more=rule)) == []
