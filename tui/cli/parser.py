"""The argument parser: verbs, options and their help. What a verb does is in `verbs`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from mtui import __version__

from ...core.errors import EXIT_USAGE, UsageError
from .maestro_flags import add_maestro_options

_ORDERS = {
    "cancel": "cancel instances and their jobs",
    "retry": "rerun failed instances and their blocked dependents",
    "hold": "do not start instances until they are released",
    "release": "release held instances",
    "rerun": "rerun finished instances and all their dependents",
    "done": "mark instances as finished; their dependents can start",
    "skip": "mark instances as skipped; their dependents can start",
}
_READING = ("plan", "status", "why", "log", "report", "studies", "doctor")
VERBS = ("run", *_READING, *_ORDERS, "update", "extend", "detach", "stop", "submit", "init", "completion")
_WHOLE = {
    "cancel": "what to cancel (default: everything)",
    "retry": "what to rerun (default: all failed instances)",
    "hold": "what to hold (default: everything)",
    "release": "what to release (default: everything)",
    "rerun": "what to rerun",
    "done": "what to mark as finished",
    "skip": "what to skip",
}
_PART = {
    "--only": "run only this step (repeatable); treat all other steps as done",
    "--from": "run this step and its dependents; treat earlier steps as done",
    "--until": "run this step and the steps that it depends on; skip the others",
}
_HOST_GONE = "count local steps on another host as lost, only if that host is down for good: they can run again at once"
_SET = (
    "change a resource for this and later attempts: walltime, nodes, procs, 'cores per task', gpus, exclusive, "
    "queue (partition), bank (account), qos, reservation, constraint, mem, 'mem per cpu', 'gpus per node', "
    "'gpus per task', licenses, exclude; an empty value removes the change"
)
_JSON_RESULT = "print the result as JSON"
_OVERVIEW = """\
mtui                       list your studies
mtui init                  write a commented example study
mtui STUDY.yaml            start a study
mtui DIR                   resume or watch the study in DIR
mtui plan STUDY.yaml       show what would run; nothing is written or submitted
mtui status DIR            show the progress of a study
mtui why DIR INSTANCE      explain why an instance is waiting or failed
mtui log DIR INSTANCE      print its output
mtui retry DIR failed      rerun all failed instances
mtui submit STUDY.yaml     run the driver in a separate Slurm job
mtui doctor                check terminal, Slurm, file system and limits

Run 'mtui VERB --help' for the options of a verb. docs/troubleshooting.md in the
source lists problems by symptom and by message."""


class _Parser(argparse.ArgumentParser):
    """Prints the error and a hint, without the usage line of all options."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"mtui: {message}\n  hint: see '{self.prog} --help'\n")


_Verbs: TypeAlias = "argparse._SubParsersAction[_Parser]"


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mtui",
        description="Run and monitor workflow studies on Slurm clusters.",
        epilog=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-v", "--version", action="version", version=f"mtui {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_starting(verbs)
    _add_reading(verbs)
    _add_orders(verbs)
    _add_changes(verbs)
    _add_first_steps(verbs)
    return parser


def _add_starting(verbs: _Verbs) -> None:
    run = verbs.add_parser("run", help="start or resume a study; 'run' can be omitted")
    run.add_argument("target", metavar="STUDY.yaml|DIR", help="a study file, or the directory of a study")
    _add_plan_options(run)
    run.add_argument("--no-ui", "-fg", "--foreground", action="store_true", dest="no_ui",
                     help="run without the app; print one line per event")  # fmt: skip
    run.add_argument("-q", "--quiet", action="store_true", help="print only failures, retries, commands and the result")
    run.add_argument("--json", action="store_true", help="print one JSON record per event")
    _add_limits(run)
    run.add_argument("--in-allocation", action="store_true",
                     help="run the study inside the current allocation (salloc, ...), as far as it fits")  # fmt: skip
    run.add_argument("--dry", action="store_true", help="write all workspaces and scripts, but run nothing")
    add_maestro_options(run)
    run.set_defaults(handler="run")

    submit = verbs.add_parser(
        "submit", help="run the driver in a separate Slurm job; give sbatch options after the study"
    )
    submit.add_argument("target", metavar="STUDY.yaml|DIR")
    _add_plan_options(submit)
    _add_limits(submit)
    submit.add_argument("-y", "--autoyes", action="store_true", help="do not ask for confirmation")
    submit.set_defaults(handler="submit")


def _add_reading(verbs: _Verbs) -> None:
    plan = verbs.add_parser("plan", help="show what a study would run, without running it")
    plan.add_argument("target", metavar="STUDY.yaml")
    _add_plan_options(plan)
    plan.add_argument("--json", action="store_true", help="print every instance with its script as JSON")
    plan.set_defaults(handler="plan")

    status = verbs.add_parser("status", help="show the progress of a study")
    status.add_argument("target", metavar="DIR")
    status.add_argument("--json", action="store_true", help="print every instance as JSON")
    status.set_defaults(handler="status")

    why = verbs.add_parser("why", help="explain why an instance is waiting or failed")
    why.add_argument("target", metavar="DIR")
    why.add_argument("instance", metavar="INSTANCE")
    why.add_argument("--json", action="store_true", help="print every reason and attempt as JSON")
    why.set_defaults(handler="why")

    log = verbs.add_parser("log", help="print the output of an instance")
    log.add_argument("target", metavar="DIR")
    log.add_argument("instance", metavar="INSTANCE")
    log.add_argument("-f", "--follow", action="store_true", help="print new output until the instance ends")
    log.add_argument("--attempt", type=int, metavar="N", help="the attempt to show, from 1 (default: the last one)")
    what = log.add_mutually_exclusive_group()
    what.add_argument("--stderr", action="store_true", help="print stderr instead of stdout")
    what.add_argument("--script", action="store_true", help="print the script")
    what.add_argument("--json", action="store_true", help="print the paths and the last lines of all its files as JSON")
    log.set_defaults(handler="log")

    report = verbs.add_parser("report", help="write a report of a study (HTML, Markdown, CSV or JSON)")
    report.add_argument("target", metavar="DIR")
    report.add_argument(
        "-o", "--out", default="", metavar="FILE", help="output file (default: DIR/report.html; -: stdout)"
    )
    report.add_argument(
        "--format", default="", choices=("html", "md", "csv"), help="default: the extension of FILE, else html"
    )
    report.add_argument("--json", action="store_true", help="print the report as JSON")
    report.add_argument("--watch", action="store_true", help="rewrite it regularly until the study ends")
    report.set_defaults(handler="report")

    studies = verbs.add_parser("studies", help="list your studies and their status (same as plain 'mtui')")
    studies.add_argument("--json", action="store_true", help="print the list as JSON")
    studies.set_defaults(handler="studies")


def _add_orders(verbs: _Verbs) -> None:
    """Add the verbs that send a command for instances."""
    for verb, words in _ORDERS.items():
        order = verbs.add_parser(verb, help=words)
        order.add_argument("target", metavar="DIR")
        order.add_argument(
            "targets",
            nargs="+" if verb in ("rerun", "done", "skip") else "*",
            default=[],  # without a default, argparse reports the argument as required
            metavar="INSTANCE|GLOB|STEP|failed",
            help=_WHOLE[verb],
        )
        yes = "do not ask" if verb == "cancel" else "no effect: this verb never asks"
        order.add_argument("-y", "--yes", "--autoyes", action="store_true", help=yes)
        order.add_argument("--json", action="store_true", help=_JSON_RESULT)
        order.set_defaults(handler="order", verb=verb, changes=[], restart=False, because="", host_gone=False)
        if verb == "cancel":
            order.add_argument("--host-gone", action="store_true", help=_HOST_GONE)
        if verb in ("retry", "rerun"):
            order.add_argument("--set", action="append", dest="changes", metavar="KEY=VALUE", help=_SET)
            order.add_argument("--restart", action="store_true", help="run the step's restart command")
        if verb in ("done", "skip"):
            order.add_argument("-m", "--because", default="", metavar="TEXT", help="the reason, stored with the study")


def _add_changes(verbs: _Verbs) -> None:
    """Add the verbs that change the study as a whole, or its driver."""
    update = verbs.add_parser("update", help="change the limits of a running study")
    update.add_argument("target", metavar="DIR")
    update.add_argument(
        "-t", "--throttle", type=_count, metavar="N", help="run run at most N instances in Slurm (0: no limit)"
    )
    update.add_argument("--local-jobs", type=_positive, metavar="N", help="run N local steps at once")
    update.add_argument("-s", "--sleep", type=_positive, metavar="SEC", help="poll Slurm every SEC seconds")
    update.add_argument("--rlimit", type=_count, metavar="N", help="restart a timed-out step at most N times")
    update.add_argument("--json", action="store_true", help=_JSON_RESULT)
    update.set_defaults(handler="update")
    extend = verbs.add_parser("extend", help="add parameter rows to an existing study")
    extend.add_argument("target", metavar="DIR")
    extend.add_argument(
        "spec", nargs="?", metavar="STUDY.yaml", help="a study file with more rows (default: the study's own)"
    )
    _add_sources(extend)
    extend.set_defaults(handler="extend")
    detach = verbs.add_parser("detach", help="move the driver to the background")
    detach.add_argument("target", metavar="DIR")
    detach.add_argument("--json", action="store_true", help=_JSON_RESULT)
    detach.set_defaults(handler="detach", verb="detach")

    stop = verbs.add_parser("stop", help="stop the driver; jobs and local steps keep running")
    stop.add_argument("target", metavar="DIR")
    stop.add_argument("--json", action="store_true", help=_JSON_RESULT)
    stop.set_defaults(handler="detach", verb="stop")


def _add_first_steps(verbs: _Verbs) -> None:
    """Add the verbs that need no existing study."""
    init = verbs.add_parser("init", help="write a commented example study")
    init.add_argument("target", nargs="?", default="study.yaml", metavar="STUDY.yaml", help="default: study.yaml")
    where = init.add_mutually_exclusive_group()
    where.add_argument("--slurm", action="store_true", help="for Slurm (default if Slurm is installed)")
    where.add_argument("--local", action="store_true", help="for this machine only")
    init.set_defaults(handler="init")

    doctor = verbs.add_parser("doctor", help="check terminal, Slurm, file system and limits, and show workarounds")
    doctor.add_argument(
        "target",
        nargs="?",
        default=".",
        metavar="DIR",
        help="a directory for studies, or a study to check and repair (default: current directory)",
    )
    doctor.add_argument("-y", "--yes", action="store_true", help="repair the study without asking")
    doctor.add_argument("--json", action="store_true", help="print the results as JSON")
    doctor.set_defaults(handler="doctor")

    completion = verbs.add_parser("completion", help="print a shell completion script")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")
    completion.set_defaults(handler="completion")


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", default="", metavar="DIR", help="the study's directory (default: NAME_TIME)")
    parser.add_argument("--local", action="store_true", help="run every step on this machine, without Slurm")
    for option, words in _PART.items():
        parser.add_argument(option, action="append", default=[], metavar="STEP", help=words)
    parser.add_argument("--hashws", action="store_true", help="name workspaces by number instead of by label")
    _add_sources(parser)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options that replace parameters and values of the study file."""
    parser.add_argument("--params", action="append", default=[], metavar="NAME=V1,V2,...",
                        help="override the values of a parameter; also 1..10 or 0..1..0.25")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], dest="entries", metavar="NAME=VALUE",
                        help="override the value of an entry of env.variables")  # fmt: skip
    parser.add_argument("-p", "--pgen", default="", metavar="FILE", help="get the parameters from a generator file")
    parser.add_argument(
        "--pargs", action="append", default=[], metavar="KEY:VALUE", help="pass an argument to the generator"
    )
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the Python that runs the generator")


def take_targets(arguments: argparse.Namespace, further: Sequence[str]) -> list[str]:
    """Add the words that argparse left over to the targets of the verb, and return the others.

    Once argparse has seen an option behind DIR, it does not accept further arguments of the verb.
    """
    words = [word for word in further if not word.startswith("-")]
    if "targets" in arguments:
        arguments.targets = [*arguments.targets, *words]
    elif "spec" in arguments and arguments.spec is None and len(words) == 1:
        (arguments.spec,) = words
    else:
        return list(further)
    return [word for word in further if word.startswith("-")]


def refuse_plan_options(arguments: argparse.Namespace) -> None:
    """Raise UsageError if an option that affects the plan is given for an existing study."""
    names = {"--dry": "dry", "-o": "out", "--local": "local", "--hashws": "hashws", "--params": "params",
             "--set": "entries", "--pgen": "pgen", "--pargs": "pargs", "-n": "autono"}  # fmt: skip
    names.update((option, option[2:]) for option in _PART)
    given = [option for option, name in names.items() if getattr(arguments, name, None)]
    if given:
        raise UsageError(
            f"{', '.join(given)} cannot be given for a study that exists", "the plan of a study is fixed when it starts"
        )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-t", "--throttle", type=_count, default=None, metavar="N",
                        help="run at most N instances in Slurm at once (0: no limit)")  # fmt: skip
    parser.add_argument("--local-jobs", type=_positive, default=None, metavar="N",
                        help="run N local steps at once (default: up to 4)")  # fmt: skip
    parser.add_argument("-s", "--sleep", "--sleeptime", type=_positive, default=None, metavar="SEC",
                        help="poll Slurm every SEC seconds (default: 30)")  # fmt: skip
    parser.add_argument("-a", "--attempts", type=_positive, default=None, metavar="N",
                        help="submit a failing step up to N times")  # fmt: skip
    parser.add_argument("-r", "--rlimit", type=_count, default=None, metavar="N",
                        help="restart a timed-out step at most N times (0: no limit)")  # fmt: skip
    parser.add_argument("--array", type=_positive, default=None, metavar="N",
                        help="put at most N instances into one job array (default: 1000; 1: no arrays)")  # fmt: skip
    parser.add_argument("--no-submit-ahead", action="store_true",
                        help="submit an instance after its parents are done, without job dependencies")  # fmt: skip


def _count(text: str) -> int:
    value = int(text) if text.isdigit() else -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not an integer of 0 or more")
    return value


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not an integer of 1 or more")
    return value
