"""The Slurm dependencies of a submission ahead of its parents, and which instances can share it.

Array tasks whose parents are the tasks of the same numbers in other arrays share one `aftercorr`; everything else
depends by `afterok` on each job, or by `afterany` where the end of a parent is enough. A funnel depends on whole
arrays. Parents that are finished, or over where that is enough, are left out.

A job whose dependency can never be satisfied stays in the queue until a driver removes it, so `afterany` on it alone
could wait for ever: its ancestors are added as alternatives (`afterany:B?afternotok:A`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..plan.study_plan import Instance
from .state import StudyState
from .status import DONE, OVER, Status

# A parent whose script ended is about to be finished or failed: wait for that instead of binding to it.
_BINDABLE = frozenset({Status.BOUND, Status.PENDING, Status.CONFIGURING, Status.RUNNING, Status.SUSPENDED})
_MOST_JOBS = 500  # jobs that one submission may depend on; beyond that its parents' ends are awaited


@dataclass(frozen=True, slots=True)
class PlannedSubmission:
    """Instances to submit together: several are the `tasks` of an array. For `after` see SubmitIntended."""

    members: tuple[int, ...]
    tasks: tuple[int, ...] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class _Parents:
    """The jobs that one instance depends on: tasks of arrays, by array, others, and those that only have to end."""

    tasks: tuple[tuple[str, int], ...]
    jobs: tuple[str, ...]
    ends: tuple[str, ...]
    instead: tuple[str, ...] = ()  # the failure of one of these is enough as well: then `ends` is one that never begins

    def after(self) -> str:
        if self.instead:
            return "?".join([f"afterany:{self.ends[0]}", *(f"afternotok:{job}" for job in self.instead)])
        return _after("", [*self.jobs, *(f"{array}_{task}" for array, task in self.tasks)], self.ends)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Parents whose end is awaited: how many are not over, and the ancestors by which the first unsure one may never
    begin (empty: all are sure to begin; None: they cannot be named)."""

    count: int
    instead: tuple[str, ...] | None


class DependencyPlanner:
    """Binds instances to the jobs of their parents, as the state shows them now.

    Nothing is bound to `doubtful` instances: Slurm treats a job that it has forgotten as done, even if it failed.
    """

    def __init__(self, state: StudyState, doubtful: Collection[int] = ()) -> None:
        self._state = state
        self._doubtful = doubtful
        self._funnels: dict[tuple[int, bool], tuple[str, ...] | None] = {}  # by step and kind of edge
        self._barriers: dict[tuple[int, bool], list[str] | None] = {}  # by barrier and kind of edge
        self._ancestors: dict[int, tuple[str, ...] | None] = {}  # as `_open_ancestors`
        self._groups: dict[tuple[str, int], _Ends] = {}  # by barrier and by funnel

    def starts(self, members: Iterable[int], most: int) -> list[PlannedSubmission]:
        """Return the submissions of these instances of one step, each of at most `most` tasks.

        Instances that cannot be bound now are left out.
        """
        found = {index: parents for index in members if (parents := self._parents(index))}
        starts: list[PlannedSubmission] = []
        grouped: dict[tuple[tuple[str, ...], _Parents], dict[int, list[int]]] = {}
        same: dict[_Parents, list[int]] = {}
        for index, parents in found.items():
            numbers = {task for _, task in parents.tasks}
            if most > 1 and len(numbers) == 1:
                arrays = tuple(sorted(array for array, _ in parents.tasks))
                others = _Parents((), parents.jobs, parents.ends)
                grouped.setdefault((arrays, others), defaultdict(list))[numbers.pop()].append(index)
            else:
                same.setdefault(parents, []).append(index)
        for (arrays, others), by_task in grouped.items():
            # Several children of each parent form several such arrays, unless one array for each parent makes fewer.
            layers = max(map(len, by_task.values()))
            if layers <= len(by_task) and len(by_task) > 1:
                for layer in range(layers):
                    tasks = {task: own[layer] for task, own in sorted(by_task.items()) if layer < len(own)}
                    for numbers, own in _chunks(tasks, most):
                        if len(own) == 1:  # no array: `aftercorr` would mean all tasks of the parents' arrays
                            starts.append(PlannedSubmission(own, after=found[own[0]].after()))
                        else:
                            after = _after(":".join(arrays), others.jobs, others.ends)
                            starts.append(PlannedSubmission(own, numbers, after))
            else:
                for own in by_task.values():
                    same.setdefault(found[own[0]], []).extend(own)
        for parents, own in same.items():
            for first in range(0, len(own), most):
                starts.append(PlannedSubmission(tuple(own[first : first + most]), after=parents.after()))
        return starts

    def _parents(self, index: int) -> _Parents | None:
        """Return what an instance must be bound to; None if it cannot be bound now."""
        state = self._state
        instance = state.plan.instances[index]
        tasks: list[tuple[str, int]] = []
        jobs: list[str] = []
        ends: list[str] = []
        after = state.plan.steps[instance.step].after
        for of_step, of_parents in self._direct(instance):
            if of_parents is None:
                return None
            for job in of_parents:
                array, _, task = job.partition("_")
                if of_step in after:
                    ends.append(job)
                elif task:
                    tasks.append((array, int(task)))
                else:
                    jobs.append(array)
        for funnel in state.plan.steps[instance.step].funnels:
            of_funnel = self._funnel(funnel, by_end=funnel in after)
            if of_funnel is None:
                return None
            (ends if funnel in after else jobs).extend(of_funnel)
        if not 0 < len(tasks) + len(jobs) + len(ends) <= _MOST_JOBS:
            return None
        instead = self._instead(instance) if ends else ()
        if instead is None or (instead and tasks + jobs):
            return None
        return _Parents(tuple(sorted(set(tasks))), tuple(dict.fromkeys(jobs)), tuple(dict.fromkeys(ends)), instead)

    def _instead(self, instance: Instance) -> tuple[str, ...] | None:
        """Return the jobs whose failure means that the only parent whose end is awaited never begins.

        Empty if all such parents are sure to begin. None if one is not and there are others: Slurm can combine
        dependencies by "and" or by "or", not by both.
        """
        plan = self._state.plan
        after = plan.steps[instance.step].after
        direct = [parent for parent in instance.parents if plan.instances[parent].step in after]
        found = [self._ends_of(direct)]
        for barrier in instance.barriers:
            if plan.instances[plan.barriers[barrier][0]].step in after:
                found.append(self._group("barrier", barrier, plan.barriers[barrier]))
        for funnel in plan.steps[instance.step].funnels:
            if funnel in after:
                found.append(self._group("funnel", funnel, plan.steps[funnel].instances))
        unsure = [ends.instead for ends in found if ends.instead != ()]
        if not unsure:
            return ()
        return unsure[0] if sum(ends.count for ends in found) == 1 else None

    def _group(self, kind: str, number: int, members: Sequence[int]) -> _Ends:
        if (kind, number) not in self._groups:
            self._groups[kind, number] = self._ends_of(members)
        return self._groups[kind, number]

    def _ends_of(self, parents: Sequence[int]) -> _Ends:
        unfinished = [parent for parent in parents if self._state.status[parent] not in OVER]
        unsure = [jobs for parent in unfinished if (jobs := self._open_ancestors(parent)) != ()]
        return _Ends(len(unfinished), unsure[0] if unsure else ())

    def _open_ancestors(self, index: int) -> tuple[str, ...] | None:
        """Return the jobs that have to succeed before an instance begins; None if these are too many or not known."""
        if self._state.status[index] is not Status.BOUND:
            return ()
        if index not in self._ancestors:
            self._ancestors[index] = self._find_ancestors(index)
        return self._ancestors[index]

    def _find_ancestors(self, index: int) -> tuple[str, ...] | None:
        state = self._state
        found: dict[int, str] = {}
        bound = [index]
        while bound:
            for parent in self._needed(bound.pop()):
                if parent in found or state.status[parent] in DONE:
                    continue
                if not self._is_bindable(parent, by_end=False) or len(found) >= _MOST_JOBS:
                    return None
                found[parent] = state.attempts[parent][-1].job
                if state.status[parent] is Status.BOUND:
                    bound.append(parent)
        return tuple(found.values())

    def _needed(self, index: int) -> Iterator[int]:
        """Yield the direct parents of an instance that have to be done, and not only over."""
        plan = self._state.plan
        instance = plan.instances[index]
        after, step_of = plan.steps[instance.step].after, plan.instances
        yield from (parent for parent in instance.parents if step_of[parent].step not in after)
        for barrier in instance.barriers:
            if step_of[plan.barriers[barrier][0]].step not in after:
                yield from plan.barriers[barrier]
        for funnel in plan.steps[instance.step].funnels:
            if funnel not in after:
                yield from plan.steps[funnel].instances

    def _direct(self, instance: Instance) -> Iterator[tuple[int, list[str] | None]]:
        """Yield the steps of the direct parents and barriers of an instance, with their jobs as `_jobs_of_each`."""
        plan = self._state.plan
        after = plan.step_of(instance).after
        for parent in instance.parents:
            step = plan.instances[parent].step
            yield step, self._jobs_of_each((parent,), by_end=step in after)
        for barrier in instance.barriers:
            step = plan.instances[plan.barriers[barrier][0]].step
            key = barrier, step in after
            if key not in self._barriers:
                self._barriers[key] = self._jobs_of_each(plan.barriers[barrier], by_end=step in after)
            yield step, self._barriers[key]

    def _jobs_of_each(self, parents: Sequence[int], *, by_end: bool) -> list[str] | None:
        """Return the jobs of the parents that need one; None if these are too many, or cannot all be bound to."""
        state, jobs = self._state, list[str]()
        for parent in parents:
            if state.status[parent] in (OVER if by_end else DONE):
                continue
            if not self._is_bindable(parent, by_end=by_end) or len(jobs) >= _MOST_JOBS:
                return None
            jobs.append(state.attempts[parent][-1].job)
        return jobs

    def _is_bindable(self, index: int, *, by_end: bool) -> bool:
        state = self._state
        leaves = index in state.to_unbind or index in state.to_cancel
        of_its_own = index in state.live_slurm  # an instance in an allocation shares the allocation's job
        status = state.status[index]
        if not of_its_own or status not in _BINDABLE or leaves or index in self._doubtful:
            return False
        # A duplicate job ends without running anything, so only the end of the job that has the claim counts.
        return not by_end or status is Status.RUNNING or not state.attempts[index][-1].unclear

    def _funnel(self, step: int, *, by_end: bool) -> tuple[str, ...] | None:
        """Return the jobs of a whole step: an array as a whole if it only has last attempts of the step's instances."""
        if (step, by_end) not in self._funnels:
            self._funnels[step, by_end] = self._jobs_of(step, by_end=by_end)
        return self._funnels[step, by_end]

    def _jobs_of(self, step: int, *, by_end: bool) -> tuple[str, ...] | None:
        state = self._state
        open_jobs: list[str] = []
        spoiled: set[str] = set()  # arrays in which a task failed: `afterok` on them would never be satisfied
        for index in state.plan.steps[step].instances:
            attempts = state.attempts.get(index, [])
            if not by_end:
                spoiled.update(attempt.array for attempt in attempts[:-1])
            if self._is_bindable(index, by_end=by_end):
                open_jobs.append(attempts[-1].job)
            elif state.status[index] not in (OVER if by_end else DONE):
                return None
        jobs = (job if job.partition("_")[0] in spoiled else job.partition("_")[0] for job in open_jobs)
        found = tuple(dict.fromkeys(jobs))
        return found if len(found) <= _MOST_JOBS else None


def _chunks(tasks: dict[int, int], most: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield instances by the task numbers of their parents, in chunks: task numbers, instances."""
    items = list(tasks.items())
    for first in range(0, len(items), most):
        numbers, members = zip(*items[first : first + most], strict=True)
        yield numbers, members


def _after(corresponding: str, jobs: Sequence[str], ends: Sequence[str]) -> str:
    parts = [f"aftercorr:{corresponding}"] if corresponding else []
    parts += [f"afterok:{':'.join(jobs)}"] if jobs else []
    parts += [f"afterany:{':'.join(ends)}"] if ends else []
    return ",".join(parts)
