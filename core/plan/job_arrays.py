"""Finds which instances can share a job array: those whose jobs request the same of Slurm.

The tasks of an array share one set of options. So the lines that name a job's own files are left out (the array sets
them for each task), and an instance whose author wrote such a line is a separate job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..spec.sbatch_options import PREFIX, burst_buffer_lines, directive_texts, parse_options, without_dropped
from .instance_script import options, render
from .job_request import job_request
from .resource_changes import UNCHANGED
from .study_plan import Instance, Plan, PlannedStep

# Options that cannot be shared: a job's files, its dependencies, an array that its author defines.
OWN_OF_A_JOB = frozenset(("output", "error", "input", "chdir", "array", "dependency", "wait", "hetjob", "packjob"))
_OURS = ("--job-name=", "--output=", "--error=", "--comment ")  # written by mtui, different for each instance


@dataclass(frozen=True, slots=True)
class JobShape:
    """What a job requests. Instances of one shape can share an array, unless `alone` is set."""

    options: tuple[str, ...]  # its lines for Slurm, without those that name its own files
    alone: str = ""  # the option that prevents sharing
    waits: bool = False  # its author set --dependency


_RECENT = 5_000


class JobShapes:
    """The job shapes of a plan's instances. For a step whose options use no parameter, the shape is computed once.

    Shapes of other instances are cached, since those that wait are requested repeatedly.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._shared: dict[int, JobShape] = {}
        self._recent: dict[int, JobShape] = {}
        self._varying = frozenset(step.index for step in plan.steps if varies(step))

    def of(self, index: int, changes: Mapping[str, str] = UNCHANGED) -> JobShape:
        """Return the shape of an instance, with the resource changes of its retries."""
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
    """Compute the shape of an instance's job."""
    script = render(plan, instance, changes).chosen(changes)
    own = directive_texts(script)
    header = options(plan, instance, changes)
    del own[: len(header)]
    shared = [option for option in header if not option.startswith(_OURS)]
    given = parse_options(own)
    alone = next((own[option.line] for option in given if option.name in OWN_OF_A_JOB), "")
    waits = any(option.startswith("--dependency=") for option in header) or any(
        option.name == "dependency" for option in given
    )
    lines = [*(f"{PREFIX} {option}" for option in shared), *without_dropped(f"{PREFIX} {option}" for option in own)]
    return JobShape((*lines, *burst_buffer_lines(script)), alone, waits)


def varies(step: PlannedStep) -> bool:
    """Return whether what the step's instances request may depend on a parameter."""
    texts = [*map(str, step.run.values()), *directive_texts(step.cmd), *burst_buffer_lines(step.cmd)]
    return any("$(" in text for text in texts)


@dataclass(frozen=True, slots=True)
class ArraySplit:
    """How the instances of a step are submitted: the sizes of its arrays, and the number of separate jobs."""

    arrays: tuple[int, ...]
    alone: int
    why: str = ""  # the first option that prevents sharing
    by: tuple[str, ...] = ()  # the resources that differ, if there is more than one shape


def split_into_arrays(plan: Plan, step: PlannedStep, most: int) -> ArraySplit:
    """Split a step's instances into arrays of at most `most` tasks, as if all were ready at once."""
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
            for key, value in job_request(plan, plan.instances[index]).values.items():
                differ.setdefault(key, set()).add(value)
    return ArraySplit(tuple(arrays), alone, why, tuple(key for key, values in differ.items() if len(values) > 1))
