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
    "cancel": "end instances and their jobs",
    "retry": "run failed instances again, and what hung on them",
    "hold": "do not start instances until they are released",
    "release": "let held instances start",
    "rerun": "run instances again although they are done, with all that follows",
    "done": "count instances as finished; what hangs on them goes on",
    "skip": "do not run instances; what hangs on them goes on",
}
_READING = ("plan", "status", "why", "log", "report", "studies", "doctor")
VERBS = ("run", *_READING, *_ORDERS, "update", "extend", "detach", "stop", "submit", "init", "completion")
_WHOLE = {
    "cancel": "what to end (default: everything)",
    "retry": "what to run again (default: everything that failed)",
    "hold": "what to hold (default: everything)",
    "release": "what to release (default: everything)",
    "rerun": "what to run again",
    "done": "what counts as finished",
    "skip": "what is not to be run",
}
_PART = {
    "--only": "run this step and no other that is not named as well; the others count as done",
    "--from": "run this step and what hangs on it; what comes before counts as done",
    "--until": "run this step and what it hangs on; skip the rest",
}
_HOST_GONE = (
    "count local steps as lost that run on another host, which is gone for good; they may run again at once, so be sure"
)
_SET = (
    "change a resource for this and every later attempt: walltime, nodes, procs, 'cores per task', gpus, exclusive, "
    "queue (partition), bank (account), qos, reservation, constraint, mem, ...; an empty value takes a change back"
)
_CAME_OF_IT = "what came of it, for programs"
_OVERVIEW = """\
mtui                       list your studies
mtui init                  write a commented study to begin with
mtui STUDY.yaml            start a study
mtui DIR                   go on with a study in its directory
mtui plan STUDY.yaml       show what would run; nothing is written or submitted
mtui status DIR            how a study stands
mtui why DIR INSTANCE      what an instance waits for, or why it failed
mtui log DIR INSTANCE      its output
mtui retry DIR failed      run again what failed
mtui submit STUDY.yaml     drive the study from a Slurm job of its own
mtui doctor                check terminal, Slurm, file system and limits

'mtui VERB --help' tells more. docs/troubleshooting.md of the source goes by symptom
and by message."""


class _Parser(argparse.ArgumentParser):
    """Prints the error and a hint, without the usage line of all options."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"mtui: {message}\n  hint: {self.prog} --help tells what there is\n")


_Verbs: TypeAlias = "argparse._SubParsersAction[_Parser]"


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mtui",
        description="Runs and watches workflow studies on Slurm clusters.",
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
    run = verbs.add_parser("run", help="start a study, or go on with one; 'run' may be left out")
    run.add_argument("target", metavar="STUDY.yaml|DIR", help="a study file, or the directory of a study")
    _add_plan_options(run)
    run.add_argument("--no-ui", "-fg", "--foreground", action="store_true", dest="no_ui",
                     help="drive without the app: one line per event")  # fmt: skip
    run.add_argument("-q", "--quiet", action="store_true", help="tell only of failures and of the end")
    run.add_argument("--json", action="store_true", help="one JSON record per event")
    _add_limits(run)
    run.add_argument("--in-allocation", action="store_true",
                     help="run what fits within the allocation that this command is in (salloc, ...)")  # fmt: skip
    run.add_argument("--dry", action="store_true", help="write all workspaces and scripts, and run nothing")
    add_maestro_options(run)
    run.set_defaults(handler="run")

    submit = verbs.add_parser(
        "submit", help="drive a study from a separate Slurm job; options of sbatch are given after the study"
    )
    submit.add_argument("target", metavar="STUDY.yaml|DIR")
    _add_plan_options(submit)
    _add_limits(submit)
    submit.add_argument("-y", "--autoyes", action="store_true", help="do not ask before a start that asks for much")
    submit.set_defaults(handler="submit")


def _add_reading(verbs: _Verbs) -> None:
    plan = verbs.add_parser("plan", help="show what would run")
    plan.add_argument("target", metavar="STUDY.yaml")
    _add_plan_options(plan)
    plan.add_argument("--json", action="store_true", help="every instance with its script, for programs")
    plan.set_defaults(handler="plan")

    status = verbs.add_parser("status", help="how a study stands")
    status.add_argument("target", metavar="DIR")
    status.add_argument("--json", action="store_true", help="every instance, for programs")
    status.set_defaults(handler="status")

    why = verbs.add_parser("why", help="what an instance waits for, or why it failed")
    why.add_argument("target", metavar="DIR")
    why.add_argument("instance", metavar="INSTANCE")
    why.add_argument("--json", action="store_true", help="every reason and attempt, for programs")
    why.set_defaults(handler="why")

    log = verbs.add_parser("log", help="the output of an instance")
    log.add_argument("target", metavar="DIR")
    log.add_argument("instance", metavar="INSTANCE")
    log.add_argument("-f", "--follow", action="store_true", help="go on until the instance ends")
    log.add_argument("--attempt", type=int, metavar="N", help="of an earlier attempt, from 1 (default: the last one)")
    what = log.add_mutually_exclusive_group()
    what.add_argument("--stderr", action="store_true", help="its stderr instead of its stdout")
    what.add_argument("--script", action="store_true", help="its script")
    what.add_argument("--json", action="store_true", help="where all its files stand and how they end, for programs")
    log.set_defaults(handler="log")

    report = verbs.add_parser("report", help="what became of a study: a page, Markdown or a table")
    report.add_argument("target", metavar="DIR")
    report.add_argument(
        "-o", "--out", default="", metavar="FILE", help="where to (default: DIR/report.html; -: stdout)"
    )
    report.add_argument("--format", default="", choices=("html", "md", "csv"), help="default: as FILE ends, else html")
    report.add_argument("--json", action="store_true", help="on stdout, for programs")
    report.add_argument("--watch", action="store_true", help="write it again and again until the study is over")
    report.set_defaults(handler="report")

    studies = verbs.add_parser("studies", help="your studies and how they stand; so does mtui alone")
    studies.add_argument("--json", action="store_true", help="the same for programs")
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
        order.add_argument("--json", action="store_true", help=_CAME_OF_IT)
        order.set_defaults(handler="order", verb=verb, changes=[], restart=False, because="", host_gone=False)
        if verb == "cancel":
            order.add_argument("--host-gone", action="store_true", help=_HOST_GONE)
        if verb in ("retry", "rerun"):
            order.add_argument("--set", action="append", dest="changes", metavar="KEY=VALUE", help=_SET)
            order.add_argument("--restart", action="store_true", help="run the restart command of the step")
        if verb in ("done", "skip"):
            order.add_argument("-m", "--because", default="", metavar="TEXT", help="the reason, for others to read")


def _add_changes(verbs: _Verbs) -> None:
    """Add the verbs that change the study as a whole, or its driver."""
    update = verbs.add_parser("update", help="change the limits of a study that runs")
    update.add_argument("target", metavar="DIR")
    update.add_argument("-t", "--throttle", type=_count, metavar="N", help="at most N instances in Slurm (0: no limit)")
    update.add_argument("--local-jobs", type=_positive, metavar="N", help="run N local steps at once")
    update.add_argument("-s", "--sleep", type=_positive, metavar="SEC", help="ask Slurm every SEC seconds")
    update.add_argument(
        "--rlimit", type=_count, metavar="N", help="restart a step that ran out of time at most N times"
    )
    update.add_argument("--json", action="store_true", help=_CAME_OF_IT)
    update.set_defaults(handler="update")
    extend = verbs.add_parser("extend", help="add rows to the parameters of a study that has begun")
    extend.add_argument("target", metavar="DIR")
    extend.add_argument("spec", nargs="?", metavar="STUDY.yaml", help="a study file with more rows (default: its own)")
    _add_sources(extend)
    extend.set_defaults(handler="extend")
    detach = verbs.add_parser("detach", help="let the driver go on without its terminal")
    detach.add_argument("target", metavar="DIR")
    detach.add_argument("--json", action="store_true", help=_CAME_OF_IT)
    detach.set_defaults(handler="detach", verb="detach")

    stop = verbs.add_parser("stop", help="let the driver let go; jobs and local steps go on")
    stop.add_argument("target", metavar="DIR")
    stop.add_argument("--json", action="store_true", help=_CAME_OF_IT)
    stop.set_defaults(handler="detach", verb="stop")


def _add_first_steps(verbs: _Verbs) -> None:
    """Add the verbs that need no existing study."""
    init = verbs.add_parser("init", help="write a commented study to begin with")
    init.add_argument("target", nargs="?", default="study.yaml", metavar="STUDY.yaml", help="default: study.yaml")
    where = init.add_mutually_exclusive_group()
    where.add_argument("--slurm", action="store_true", help="for Slurm (default: if Slurm is here)")
    where.add_argument("--local", action="store_true", help="for this machine alone")
    init.set_defaults(handler="init")

    doctor = verbs.add_parser(
        "doctor", help="check terminal, Slurm, file system and limits, and what mtui does about each"
    )
    doctor.add_argument(
        "target",
        nargs="?",
        default=".",
        metavar="DIR",
        help="where studies are to be written, or a study to be checked and repaired (default: here)",
    )
    doctor.add_argument("-y", "--yes", action="store_true", help="repair the study without asking")
    doctor.add_argument("--json", action="store_true", help="the same for programs")
    doctor.set_defaults(handler="doctor")

    completion = verbs.add_parser("completion", help="what makes the TAB key of a shell complete these command lines")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="print it for this shell")
    completion.set_defaults(handler="completion")


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", default="", metavar="DIR", help="the study's directory (default: NAME_TIME)")
    parser.add_argument("--local", action="store_true", help="run every step on this machine, without Slurm")
    for option, words in _PART.items():
        parser.add_argument(option, action="append", default=[], metavar="STEP", help=words)
    parser.add_argument("--hashws", action="store_true", help="number the workspaces instead of naming them by label")
    _add_sources(parser)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options that replace parameters and values of the study file."""
    parser.add_argument("--params", action="append", default=[], metavar="NAME=V1,V2,...",
                        help="a parameter's values in place of the file's; also 1..10 or 0..1..0.25")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], dest="entries", metavar="NAME=VALUE",
                        help="the value of an entry of env.variables, in place of the file's")  # fmt: skip
    parser.add_argument("-p", "--pgen", default="", metavar="FILE", help="take the parameters from a generator file")
    parser.add_argument(
        "--pargs", action="append", default=[], metavar="KEY:VALUE", help="an argument for the generator"
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
            f"{', '.join(given)} cannot be given for a study that exists", "its plan was made at its start"
        )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-t", "--throttle", type=_count, default=None, metavar="N",
                        help="at most N instances in Slurm at once (0: no limit)")  # fmt: skip
    parser.add_argument("--local-jobs", type=_positive, default=None, metavar="N",
                        help="run N local steps at once (default: up to 4)")  # fmt: skip
    parser.add_argument("-s", "--sleep", "--sleeptime", type=_positive, default=None, metavar="SEC",
                        help="ask Slurm every SEC seconds as a safety net (default: 30)")  # fmt: skip
    parser.add_argument("-a", "--attempts", type=_positive, default=None, metavar="N",
                        help="submit a step that fails up to N times")  # fmt: skip
    parser.add_argument("-r", "--rlimit", type=_count, default=None, metavar="N",
                        help="restart a step that ran out of time at most N times (0: no limit)")  # fmt: skip
    parser.add_argument("--array", type=_positive, default=None, metavar="N",
                        help="at most N instances in one job array (default: 1000; 1: no arrays)")  # fmt: skip
    parser.add_argument("--no-submit-ahead", action="store_true",
                        help="submit an instance only when its parents are done, not bound to their jobs")  # fmt: skip


def _count(text: str) -> int:
    value = int(text) if text.isdigit() else -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 up")
    return value


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 up")
    return value
