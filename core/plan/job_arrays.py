"""Which instances can share a job array, and why others cannot: what their jobs ask Slurm for has to be the same.

The tasks of an array have one set of options between them. So the lines that name a job's own files are left out
(the array gives each task its own), and an instance whose author gives such a line has a job of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from .instance_script import directive_lines, header_resources, options, render
from .resource_changes import UNCHANGED
from .study_plan import Instance, Plan, PlannedStep

# Options of a job's own: its files, what it waits for, an array that its author makes of it.
OWN_OF_A_JOB = re.compile(
    r"(?:^|\s)(--(?:output|error|input|chdir|array|dependency|wait)(?![-\w])|-[oeiDadW]|hetjob\b|packjob\b)"
)
_WAITS = re.compile(r"(?:^|\s)(--dependency\b|-d)")
_OURS = ("--job-name=", "--output=", "--error=", "--comment ")  # of each instance, written by us


@dataclass(frozen=True, slots=True)
class JobShape:
    """What a job asks for. Instances of one kind can share an array, unless `alone` says why they cannot."""

    options: tuple[str, ...]  # its #SBATCH lines, without those that name its own files
    alone: str = ""
    waits: bool = False  # the author gives it a dependency of its own


_RECENT = 5_000


class JobShapes:
    """The kinds of a plan's instances. A step whose options depend on no parameter is looked at once.

    Of the others those that were asked for of late are kept: what waits is asked for again and again.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._shared: dict[int, JobShape] = {}
        self._recent: dict[int, JobShape] = {}
        self._varying = frozenset(step.index for step in plan.steps if varies(step))

    def of(self, index: int, changes: Mapping[str, str] = UNCHANGED) -> JobShape:
        """The kind of an instance, with what retries have changed of its resources."""
        instance = self._plan.instances[index]
        if changes:
            return job_shape_of(self._plan, instance, changes)
        if instance.step in self._varying:
            if index not in self._recent:
                if len(self._recent) >= _RECENT:
                    self._recent.clear()
                self._recent[index] = job_shape_of(self._plan, instance)
            return self._recent[index]
        if instance.step not in self._shared:
            self._shared[instance.step] = job_shape_of(self._plan, instance)
        return self._shared[instance.step]


def job_shape_of(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> JobShape:
    """What an instance's job asks for."""
    script = render(plan, instance, changes).chosen(changes)
    lines = script.split("\n")
    own = [lines[number].removeprefix("#SBATCH").strip() for number in directive_lines(script)]
    header = options(plan, instance, changes)
    del own[: len(header)]
    shared = [option for option in header if not option.startswith(_OURS)]
    alone = next((option for option in own if OWN_OF_A_JOB.search(option)), "")
    waits = any(_WAITS.search(option) for option in (*header, *own))
    return JobShape(tuple(f"#SBATCH {option}" for option in (*shared, *own)), alone, waits)


def varies(step: PlannedStep) -> bool:
    """Whether what its instances ask for may depend on a parameter."""
    lines = step.cmd.split("\n")
    texts = [str(value) for value in step.run.values()] + [lines[number] for number in directive_lines(step.cmd)]
    return any("$(" in text for text in texts)


@dataclass(frozen=True, slots=True)
class ArraySplit:
    """How the instances of a step go to Slurm: the sizes of its arrays, jobs of their own, and why."""

    arrays: tuple[int, ...]
    alone: int
    why: str = ""  # the line that keeps them from sharing
    by: tuple[str, ...] = ()  # the resources that differ, if there is more than one array


def split_into_arrays(plan: Plan, step: PlannedStep, most: int) -> ArraySplit:
    """How a step's instances share arrays of at most `most` tasks, if all are ready at once."""
    kinds = JobShapes(plan)
    found = Counter(kinds.of(index) for index in step.instances)
    arrays: list[int] = []
    alone, why = 0, ""
    for kind, count in found.items():
        sizes = (
            [1] * count if kind.alone or most < 2 else [most] * (count // most) + [count % most] * (count % most > 0)
        )
        alone += sizes.count(1)
        arrays += [size for size in sizes if size > 1]
        why = why or kind.alone
    differ: dict[str, set[str]] = {}
    if len(found) > 1:
        for index in step.instances:
            for key, value in header_resources(plan, plan.instances[index]).items():
                differ.setdefault(key, set()).add(value)
    return ArraySplit(tuple(arrays), alone, why, tuple(key for key, values in differ.items() if len(values) > 1))
