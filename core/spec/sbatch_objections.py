"""Finds the lines in a cmd that mtui cannot honour: options of `#SBATCH` lines, and lines that sbatch ignores."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .sbatch_options import BURST_BUFFER, COMMAND_LINE, KNOWN, PREFIX, SbatchOption, burst_buffer_lines, directive_lines

# What sbatch also reads, at any place of the script; mtui passes `#SBATCH` lines only.
_FOREIGN = re.compile(r"#(PBS|BSUB|SLURM)\b")
_FOREIGN_OPTIONS = {
    ("PBS", "A"): "account", ("PBS", "q"): "partition", ("BSUB", "P"): "account", ("BSUB", "q"): "partition",
    ("BSUB", "n"): "ntasks",
}  # fmt: skip
_SEVERAL = re.compile(r",|^all$|^$")  # of clusters


@dataclass(frozen=True, slots=True)
class Objection:
    """Why mtui cannot honour an option. `refused`: nothing can run with it; else it only has no effect."""

    line: int  # index of the `#SBATCH` line
    message: str
    hint: str
    refused: bool = False
    written: str = ""  # the line, if it is none of `#SBATCH`


def objections(options: Iterable[SbatchOption]) -> list[Objection]:
    """Return why mtui cannot honour some of the options."""
    found: list[Objection] = []
    for option in options:
        objection = _objection(option)
        if objection:
            message, hint, refused = objection
            found.append(Objection(option.line, f"'{PREFIX} {option.text}' {message}", hint, refused))
    return found


def refused(options: Iterable[SbatchOption]) -> Objection | None:
    """Return why a job with these options cannot be submitted; None if it can."""
    return next((objection for objection in objections(options) if objection.refused), None)


def _objection(option: SbatchOption) -> tuple[str, str, bool] | None:
    if option.is_heterogeneous or option.name.startswith(":"):
        hint = "write each component as a step (steps that do not depend on each other run at the same time)"
        return "makes a heterogeneous job, which mtui cannot track", hint, True
    match option.name:
        case "array":
            return "makes an array of tasks, which mtui cannot track", _array_hint(option.value), True
        case "clusters" if _SEVERAL.search(option.value):
            hint = "remove it, and run mtui on a login node of the cluster that you choose"
            return "submits to one of several clusters; mtui tracks jobs only on that of this machine", hint, True
        case "clusters":
            words = "is checked at submission: the job is refused if this machine belongs to another cluster"
            return words, "remove it, and run mtui on a login node of that cluster", False
        case "test-only":
            return "submits nothing", "remove it; 'mtui plan' shows what would be submitted", True
        case "uid" | "gid":
            return "submits as another user, whose jobs mtui cannot track", "remove it, and run mtui as that user", True
        case "chdir":
            return "has no effect: a script runs in its workspace", f"write 'cd {option.value or 'DIR'}' in cmd", False
        case "wait":
            return "has no effect: mtui waits for the job itself", "remove it", False
        case "dependency" if re.search(r"\bsingleton\b", option.value):
            hint = "limit how many run at a time with --throttle, or name the jobs: afterany:JOB"
            return "does not wait: 'singleton' compares job names, and each job of mtui has its own", hint, False
        case name if name in COMMAND_LINE:
            return "has no effect: sbatch reads it on its command line only", "remove it", False
        case "--":
            return "ends the options; sbatch refuses those that follow", "remove it", False
        case name if _has_equals(option):
            hint = f"write '{option.words[0][:2]} {option.value[1:]}'"
            return f"has the value '{option.value}', with the sign, for sbatch", hint, False
        case name if option.words and not option.words[0].startswith("-"):
            return "is not an option; sbatch rejects it", "quote values that contain spaces", False
        case name if name not in KNOWN and _is_ambiguous(name):
            meant = sorted(known for known in KNOWN if known.startswith(name))
            return "is ambiguous; sbatch may reject it", f"write one of --{', --'.join(meant)}", False
        case _:
            return None


def _has_equals(option: SbatchOption) -> bool:
    """Return whether a short option has its value after an equals sign, which only long options may have."""
    return option.value.startswith("=") and re.match(r"-[^-]=", option.text) is not None


def _is_ambiguous(name: str) -> bool:
    return sum(known.startswith(name) for known in KNOWN) > 1


def _array_hint(indices: str) -> str:
    """Return how to write an array as a parameter."""
    plain, _, most = indices.partition("%")
    match = re.fullmatch(r"(\d+)-(\d+)(?::(\d+))?", plain)
    if match:
        values = f"{{range: [{', '.join(number for number in match.groups() if number)}]}}"
    elif re.fullmatch(r"\d+(,\d+)*", plain):
        values = f"{{values: [{plain.replace(',', ', ')}], label: N.%%}}"
    else:
        values = "{range: [0, 3]}"
    more = f", and at most {most} at a time with --throttle {most}" if most.isdecimal() else ""
    return (
        f"make the numbers a parameter: 'N: {values}' in mtui: parameters, "
        f"with $(N) instead of $SLURM_ARRAY_TASK_ID{more}"
    )


def foreign_lines(script: str) -> list[Objection]:
    """Return the lines of other batch systems that sbatch would read, and that mtui does not pass to it."""
    return [
        Objection(0, f"'{line.strip()}' has no effect", f"write {_translated(line)}", written=line.strip())
        for line in script.split("\n")
        if _FOREIGN.match(line)
    ]


def _translated(line: str) -> str:
    """Return the `#SBATCH` line for a line of another batch system, in quotes; words if there is no simple one."""
    system, _, rest = line.strip()[1:].partition(" ")
    if system == "SLURM" and rest:
        return f"'{PREFIX} {rest}'"
    match = re.fullmatch(r"-(\w)\s*(\S+)", rest.strip())
    if not match:
        return f"it as a {PREFIX} line"
    letter, value = match.groups()
    if (system, letter) == ("PBS", "l"):
        name, _, time = value.partition("=")
        if name == "walltime" and re.fullmatch(r"\d+(:\d+){1,2}", time):  # a number alone is of seconds
            return f"'{PREFIX} --time={time}'"
    elif (system, letter) == ("BSUB", "W"):  # hours:minutes, which are minutes:seconds for sbatch
        return f"'{PREFIX} --time={value}{':00' if ':' in value else ''}'"
    elif (system, letter) in _FOREIGN_OPTIONS:
        return f"'{PREFIX} --{_FOREIGN_OPTIONS[system, letter]}={value}'"
    return f"it as a {PREFIX} line"


def unread_lines(script: str) -> list[Objection]:
    """Return the lines with options that Slurm does not read: indented, or after the first command.

    Those after a here-document begins are left out: they may be of another script, which this one writes.
    """
    lines = script.partition("<<")[0].split("\n")
    read = set(directive_lines(script))
    buffers = len(burst_buffer_lines(script))
    found: list[Objection] = []
    for number, line in enumerate(lines):
        written = line.strip()
        if written.startswith(PREFIX) and number not in read:
            hint = f"write it above the first command, with {PREFIX} at the start of the line"
            found.append(Objection(0, f"'{written}' has no effect: sbatch does not read it", hint, written=written))
        elif BURST_BUFFER.match(written):
            buffers -= line == written
            if buffers < 0 or line != written:
                hint = "write it above the first command, at the start of the line"
                found.append(Objection(0, f"'{written}' has no effect: Slurm does not read it", hint, written=written))
    return found
