"""The layout of a study directory, and how a new one is created.

OUT/
  study.yaml   status.csv
  STEP/COMBO/              workspace: NAME.slurm.sh or NAME.sh, NAME.out, NAME.err
  STEP_COMBO -> STEP/COMBO
  .mtui/                   private to the user
    study.json             the plan, frozen
    journal/000001.jsonl   what happened, one segment per driver
    checkpoint.jsonl       the state up to some place in the journal, to save time
    owner/000001           who drives, see lease.py
    spool/new              records that jobs drop
    claims/                one file per attempt that began, or must not begin any more
    allocations/           what is given to allocations that instances share, and their leaders' records
    submit/                one folder per job array: what its tasks are, links to their logs
    inbox/tmp new          commands to the driver, see inbox.py
    job.sh                 the job-side runner
    fallback.sh            what runs in an allocation whose nodes have no Python
    slurm.log              the calls of sbatch and scancel, and their answers
    driver.log             what a driver printed
    debug.log              why the driver did what it did, with MTUI_LOG=debug
    hooks.log              what the study's own commands for its end and first failure printed
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from ..claims import Claims
from ..durable_files import sync_directory, sync_tree
from ..errors import TRY_DOCTOR, DirectoryTaken, StudyDirectoryError
from ..file_reading import WHOLE, read_bytes
from ..plan.expand import path_component
from ..plan.instance_script import render
from ..plan.resource_changes import UNCHANGED
from ..plan.study_plan import Instance, Plan
from .folder_creation import make_folder
from .name_index import STUDY_FILE

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ONE_BLOCK = 4096  # bytes: a power cut leaves such a script whole or empty, and job.sh refuses an empty one
FOLDERS = ("journal", "owner", "spool/new", "claims", "allocations", "inbox/tmp", "inbox/new")


@dataclass(frozen=True)
class StudyDirectory:
    """The paths of one study."""

    root: Path
    is_ours: ClassVar[bool] = True  # else Maestro created it: then mtui neither writes to it nor drives it

    @cached_property
    def home(self) -> Path:
        return self.root / ".mtui"

    @cached_property
    def study_file(self) -> Path:
        return self.root / STUDY_FILE

    @cached_property
    def journal(self) -> Path:
        return self.home / "journal"

    @cached_property
    def owner(self) -> Path:
        return self.home / "owner"

    @cached_property
    def spool(self) -> Path:
        return self.home / "spool" / "new"

    @cached_property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @cached_property
    def claims(self) -> Claims:
        return Claims(self.home / "claims")

    @cached_property
    def allocations(self) -> Path:
        return self.home / "allocations"

    def allocation_file(self, allocation: str, ending: str) -> Path:
        """A file of an allocation: its list, records, job script (sh), output (out)."""
        return self.allocations / f"{allocation}.{ending}"

    @cached_property
    def status_csv(self) -> Path:
        return self.root / "status.csv"

    @cached_property
    def checkpoint(self) -> Path:
        return self.home / "checkpoint.jsonl"

    @cached_property
    def driver_log(self) -> Path:
        return self.home / "driver.log"

    @cached_property
    def debug_log(self) -> Path:
        return self.home / "debug.log"

    @cached_property
    def hooks_log(self) -> Path:
        return self.home / "hooks.log"

    @cached_property
    def slurm_log(self) -> Path:
        return self.home / "slurm.log"

    @property
    def watched(self) -> tuple[Path, ...]:
        """The folders in which things happen that a driver wants to know of; only in the last one files grow."""
        always = (self.spool, self.inbox / "new")
        return (*always, self.allocations) if self.allocations.is_dir() else always

    def workspace(self, instance: Instance) -> Path:
        return self.root / instance.workspace

    def stdout(self, instance: Instance) -> Path:
        return self.workspace(instance) / f"{instance.stem}.out"

    def stderr(self, instance: Instance) -> Path:
        return self.workspace(instance) / f"{instance.stem}.err"


def new_directory_name(study_name: str, output_path: str, cwd: str, now: time.struct_time) -> str:
    """The directory of a new study as Maestro names it: NAME_YYYYmmdd-HHMMSS below OUTPUT_PATH or the cwd."""
    stamp = time.strftime("%Y%m%d-%H%M%S", now)
    parent = os.path.join(cwd, os.path.expanduser(output_path))  # noqa: PTH111, PTH118
    return os.path.join(os.path.normpath(parent), f"{path_component(study_name)}_{stamp}")  # noqa: PTH118


def is_searchable(folder: Path) -> bool:
    """Whether nothing forbids to look for files in a folder, be it there or not."""
    try:
        (folder / "x").lstat()
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def owner_of(path: Path) -> str:
    """The name of the user to whom a file belongs."""
    try:
        return path.owner()
    except (OSError, KeyError):
        return "another user"


def open_study(path: Path) -> StudyDirectory:
    """The study in an existing directory; raises StudyDirectoryError if there is none."""
    directory = StudyDirectory(path.absolute())
    if not is_searchable(directory.home):
        raise StudyDirectoryError(
            f"no permission to read {directory.home}",
            f"the study belongs to {owner_of(path)}; only that user can open it",
        )
    if not directory.study_file.exists():
        if directory.home.is_dir():
            raise _incomplete(directory)
        raise StudyDirectoryError(
            f"{path} is not a study directory", "give a study file (.yaml) to start one, or the directory of a study"
        )
    return directory


def _incomplete(directory: StudyDirectory) -> StudyDirectoryError:
    """The error for a directory of a study without its plan."""
    if any(directory.journal.glob("*.jsonl")):
        return StudyDirectoryError(
            f"the plan of the study in {directory.root} is missing: {directory.study_file}",
            "restore that file from a backup, or start a new study: mtui -o NEW STUDY.yaml",
        )
    return StudyDirectoryError(
        f"the study in {directory.root} was not created completely, and no instance has run",
        f"remove the directory, and start the study again: rm -r {shlex.quote(str(directory.root))}",
    )


def require_own(directory: StudyDirectory) -> None:
    """Raises StudyDirectoryError for a study of another user: its jobs and commands are not ours."""
    try:
        owner = directory.home.stat().st_uid
    except OSError:
        return  # whatever it is: taking the lease will fail and report it
    if os.getuid() not in (0, owner):
        hint = f"you can watch it: mtui status {shlex.quote(str(directory.root))}"
        raise StudyDirectoryError(
            f"the study belongs to {owner_of(directory.home)}, and only that user can drive it", hint
        )


def require_place(directory: StudyDirectory, plan: Plan, *, moved: bool = False) -> None:
    """Raises StudyDirectoryError for a copy of a study, whose scripts and jobs are the other's.

    So it does for one that was `moved`, unless that does not matter: its scripts name where it was made.
    """
    with suppress(OSError):
        if directory.root.samefile(plan.out):
            return
    if StudyDirectory(Path(plan.out)).study_file.exists():
        raise StudyDirectoryError(
            f"{directory.root} is a copy of the study in {plan.out}, and its scripts would write there",
            f"resume that one, or start a new one: mtui -o NEW {directory.root / 'study.yaml'}",
        )
    if moved:
        return
    link = f"ln -s {shlex.quote(str(directory.root))} {shlex.quote(plan.out)}"
    raise StudyDirectoryError(
        f"the study was created in {plan.out}, which its scripts contain, and is now in {directory.root}",
        f"move it back, or link the old name to it: {link}",
    )


def create_directory(root: Path, spec_text: str, files: list[Path], undo: ExitStack | None = None) -> StudyDirectory:
    """Make the directory of a new study, with a copy of its spec and of other files that made it.

    Raises DirectoryTaken if it exists, StudyDirectoryError if it cannot be made; then nothing of it is left behind.
    `undo` can remove it later.
    """
    directory = StudyDirectory(root)
    with ExitStack() as made:
        try:
            make_folder(root, made)
        except FileExistsError:
            raise DirectoryTaken(
                f"{root} already exists",
                "use -o to choose another directory (existing directories are never overwritten)",
            ) from None
        except OSError as error:
            raise StudyDirectoryError(f"cannot create {error.filename or root}: {error.strerror}", TRY_DOCTOR) from None
        try:
            root.chmod(stat.S_IMODE(root.stat().st_mode) & ~_OTHERS_WRITE)  # or others could replace what is in it
            directory.home.mkdir(mode=0o700)
            for folder in FOLDERS:
                (directory.home / folder).mkdir(parents=True, exist_ok=True)
            (root / "study.yaml").write_text(spec_text, encoding="utf-8")
            for file in files:
                shutil.copy(file, root / file.name)
            for script in runner_sources():
                shutil.copyfile(script, directory.home / script.name)
            sync_tree(root)  # before study.json is written, which makes it a study
            sync_directory(root.parent)
        except OSError as error:
            raise StudyDirectoryError(f"cannot write {error.filename or root}: {error.strerror}", TRY_DOCTOR) from None
        kept = made.pop_all()
        if undo:
            undo.push(kept)
    return directory


def runner_sources() -> tuple[Path, Path]:
    """The files of the product that a study has copies of: its jobs run them on any node."""
    core = Path(__file__).parent.parent
    return core / "backends" / "job.sh", core / "packing" / "fallback.sh"


def prepare_attempt(
    directory: StudyDirectory, plan: Plan, instance: Instance, attempt: int, changes: Mapping[str, str] = UNCHANGED
) -> None:
    """Make an instance's workspace, scripts and link; keep what earlier attempts had and wrote. Raises OSError.

    Paths are text here: a sweep goes through this many thousand times.
    """
    root = str(directory.root)
    workspace = f"{root}/{instance.workspace}"
    _make_folder(workspace)
    script = render(plan, instance, changes)
    _write_script(workspace, plan.script_name(instance), script.body, attempt)
    if script.restart is not None:
        _write_script(workspace, plan.script_name(instance, restart=True), script.restart, attempt)
    _link(root, plan, instance)
    if attempt > 1:
        for output in (directory.stdout(instance), directory.stderr(instance)):
            _keep(output, kept_output(output, attempt - 1))


def kept_output(output: Path, attempt: int) -> Path:
    """The name of an earlier attempt's output: `NAME.1.out`. Also for a script that has changed."""
    return output.with_name(f"{output.stem}.{attempt}{output.suffix}")


def _make_folder(path: str) -> None:
    try:
        os.mkdir(path)  # noqa: PTH102
    except FileNotFoundError:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    except FileExistsError:
        if not os.path.isdir(path):  # noqa: PTH112
            raise


def _keep(output: Path, name: Path) -> None:
    """Move the output of an earlier attempt away, once: what is there by now may be of this attempt."""
    if not name.exists():
        with suppress(FileNotFoundError):
            output.rename(name)


def _write_script(folder: str, name: str, text: str, attempt: int) -> None:
    """Write a script. A different one in its place is kept if it may be an earlier attempt's or was edited.

    It is replaced in one move: a shell that runs it reads on in what it had.
    """
    data = text.encode("utf-8", "surrogateescape")
    path = f"{folder}/{name}"
    try:
        _write_new(path, data)
    except FileExistsError:
        there = Path(path)
        if read_bytes(there, WHOLE) == data and not there.stat().st_mode & _OTHERS_WRITE:
            return
        if attempt > 1:
            with suppress(FileExistsError):
                kept_output(there, attempt - 1).hardlink_to(there)
        replace_script(folder, name, data)


def replace_script(folder: str, name: str, data: bytes) -> None:
    """Put a script in the place of another one. Raises OSError."""
    temporary = f"{folder}/.{name[-200:]}.tmp"
    with suppress(FileNotFoundError):
        os.unlink(temporary)  # noqa: PTH108
    _write_new(temporary, data)
    os.replace(temporary, f"{folder}/{name}")  # noqa: PTH105


def _write_new(path: str, data: bytes) -> None:
    """Write a script that no other user may write to, with any umask: job.sh refuses others."""
    size = len(data)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o744)
    try:
        while data:
            data = data[os.write(file, data) :]
        if size > _ONE_BLOCK:
            os.fsync(file)
    finally:
        os.close(file)


def _link(root: str, plan: Plan, instance: Instance) -> None:
    """Beside `STEP/COMBO` a link `STEP_COMBO`, for scripts that glob the study directory."""
    folder, _, name = instance.workspace.partition("/")
    if name:
        link = name if name.startswith(f"{folder}_") else f"{folder}_{name}"
        if all(step.folder != link for step in plan.steps):  # else that step's workspaces would land in this one
            with suppress(FileExistsError):
                os.symlink(instance.workspace, f"{root}/{link}")  # noqa: PTH211
