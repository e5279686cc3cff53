"""`study.json`: the frozen plan of a study. A driver that takes over does not plan again."""

from __future__ import annotations

import gc
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..durable_files import write_durably
from ..errors import TRY_DOCTOR, NewerVersion, StorageError, StudyDirectoryError, may_pass
from ..file_reading import WHOLE, read_bytes
from ..plan.parameter_table import ParameterTable
from ..plan.study_plan import Instance, Plan, PlannedStep
from ..spec.study_spec import Batch, PackingOptions, RetryRule

VERSION = 1
_WITHOUT_PLAN = "'mtui doctor DIR' shows the state of the study; it cannot be resumed without its plan"


class DamagedPlan(StudyDirectoryError):
    """`study.json` is missing, empty or damaged: only a complete copy can take its place."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the study was started with and every later driver keeps."""

    throttle: int = 0
    local_jobs: int = 2
    poll: float = 30.0  # seconds between two polls of Slurm if nothing requires one sooner
    submit_ahead: bool = True  # whether what waits for jobs in Slurm is submitted at once, bound to them
    array: int = 1000  # the most tasks of a job array; 1: no arrays
    rlimit: int = 1  # restarts of an instance that timed out and has a restart command; 0: no limit
    attempts: int = 1  # tries at a submission that is refused, and at a local step that fails
    on_end: str = ""  # commands that a driver runs, see spec/study_spec.py
    on_failure: str = ""
    pack: PackingOptions | None = None  # whether and how instances share allocations
    dry: bool = False  # created by --dry, to inspect its scripts: not yet confirmed to run
    inside: str = ""  # the job in whose allocation this driver runs what it can; of one driver, not kept


@dataclass(frozen=True, slots=True)
class StudyFile:
    """The content of `study.json`. `study_id` is random: it distinguishes the jobs of two studies.

    `given` are the words of the command line that stood in for values of the spec: `--params`, `--set`.
    """

    study_id: str
    created: float  # wall clock seconds
    spec: str  # path of the spec file that it came from
    settings: Settings
    plan: Plan
    given: tuple[str, ...] = ()
    stamp: tuple[int, ...] = field(default=(), compare=False)  # of the file that was read: another one has more rows


def file_stamp(path: Path) -> tuple[int, ...]:
    """Return what distinguishes a study file from the one that replaces it; empty if it cannot be examined."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def write_study_file(path: Path, study: StudyFile) -> None:
    """Write it whole or not at all, and on the disk; raises StudyDirectoryError.

    The study's own dependencies are left out: they were brought in before it started.
    """
    plan = study.plan
    content: dict[str, Any] = {
        "v": VERSION,
        "study_id": study.study_id,
        "created": study.created,
        "spec": study.spec,
        "given": study.given,
        "settings": asdict(study.settings),
        "name": plan.name,
        "description": plan.description,
        "out": plan.out,
        "local": plan.local,
        "batch": {"type": plan.batch.type, "shell": plan.batch.shell, "values": dict(plan.batch.values)},
        "sizes": plan.sizes,
        "barriers": plan.barriers,
        "parameters": {name: getattr(plan.parameters, name) for name in ParameterTable.__slots__},
        "steps": [_step(step) for step in plan.steps],
        "instances": [
            [item.name, item.step, item.row, item.workspace, item.stem, item.parents]
            + ([item.barriers] if item.barriers else [])
            for item in plan.instances
        ],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        write_durably(path, text.encode("utf-8", "backslashreplace"))  # a path may hold what is not UTF-8
    except OSError as error:
        raise StudyDirectoryError(f"cannot write {path}: {error.strerror}", TRY_DOCTOR) from None


def _step(step: PlannedStep) -> dict[str, Any]:
    record = {name: getattr(step, name) for name in PlannedStep.__slots__}
    record["run"] = {key: dict(value) if isinstance(value, dict) else value for key, value in step.run.items()}
    record["instances"] = list(step.instances)
    record["retry"] = {cause: asdict(rule) for cause, rule in step.retry.items()}
    record["by_row"] = list(step.by_row)
    return record


def read_study_file(path: Path) -> StudyFile:
    """Read it back; raises DamagedPlan, StorageError, or StudyDirectoryError if a newer mtui wrote it."""
    try:
        stamp = file_stamp(path)  # before it is read: one that replaces it meanwhile is noticed
        data = read_bytes(path, WHOLE)
        if not data.strip(b"\0"):
            raise DamagedPlan(f"{path} is empty, as after a power cut or on a full disk", _WITHOUT_PLAN)
        content: dict[str, Any] = json.loads(data.decode("utf-8"))
        if content["v"] != VERSION:
            raise NewerVersion(f"{path} is of version {content['v']}", "a newer mtui wrote it; use that version")
        with without_collection():
            plan = _plan(content)
        return StudyFile(
            study_id=content["study_id"],
            created=content["created"],
            spec=content["spec"],
            settings=_settings(content["settings"]),
            plan=plan,
            given=tuple(content.get("given", ())),
            stamp=stamp,
        )
    except FileNotFoundError as error:
        raise DamagedPlan(f"cannot read {path}: {error.strerror}", _WITHOUT_PLAN) from None
    except OSError as error:
        kind = StorageError if may_pass(error) else StudyDirectoryError
        raise kind(f"cannot read {path}: {error.strerror}", TRY_DOCTOR) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedPlan(f"{path} is damaged ({type(error).__name__})", _WITHOUT_PLAN) from None


def _settings(values: dict[str, Any]) -> Settings:
    pack: dict[str, Any] | None = values.pop("pack", None)
    if pack is None:
        return Settings(**values)
    steps: list[str] = pack.pop("steps")
    return Settings(**values, pack=PackingOptions(steps=tuple(steps), **pack))


def _plan(content: dict[str, Any]) -> Plan:
    table = content["parameters"]
    return Plan(
        name=content["name"],
        description=content["description"],
        out=content["out"],
        batch=Batch(**content["batch"]),
        local=content["local"],
        parameters=ParameterTable(
            keys=tuple(table["keys"]),
            names=tuple(table["names"]),
            values=tuple(map(tuple, table["values"])),
            labels=tuple(map(tuple, table["labels"])),
        ),
        steps=tuple(_read_step(record) for record in content["steps"]),
        instances=tuple(
            Instance(index, name, step, row, workspace, stem, tuple(parents), tuple(*barriers))
            for index, (name, step, row, workspace, stem, parents, *barriers) in enumerate(content["instances"])
        ),
        sizes=tuple(content.get("sizes", ())),
        barriers=tuple(map(tuple, content.get("barriers", ()))),
    )


def _read_step(record: dict[str, Any]) -> PlannedStep:
    tuples = ("parents", "funnels", "references", "used", "by_row", "after", "groups")
    values: dict[str, Any] = {name: tuple(value) if name in tuples else value for name, value in record.items()}
    indices: list[int] = record["instances"]
    whole = range(indices[0], indices[-1] + 1) if indices else range(0)
    values["instances"] = whole if len(whole) == len(indices) else tuple(indices)  # unless rows were added
    rules: dict[str, dict[str, Any]] = values.get("retry", {})
    values["retry"] = {cause: _rule(**rule) for cause, rule in rules.items()}
    return PlannedStep(**values)


def _rule(changes: list[list[str]], **values: Any) -> RetryRule:
    return RetryRule(changes=tuple((key, value) for key, value in changes), **values)


@contextmanager
def without_collection() -> Generator[None, None, None]:
    """Make many objects that stay: looking among them for garbage, again and again, would take most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
