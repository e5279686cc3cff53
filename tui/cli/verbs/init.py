"""`mtui init`: writes a commented example study, for Slurm or for this machine, and prints the next commands."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path

from ....core.backends.slurm import Slurm
from ....core.backends.slurm_programs import require_slurm
from ....core.errors import EXIT_FINISHED, BackendMissing, UsageError
from ....core.sites.profile_search import find_profile
from ...views.text import safe

_STARTERS = Path(__file__).with_name("starters")


def init(arguments: argparse.Namespace) -> int:
    """Write the study; raise UsageError if the file exists or cannot be written."""
    target = Path(arguments.target)
    slurm = _slurm()
    for_slurm = arguments.slurm or (slurm is not None and not arguments.local)
    name = safe(shlex.quote(str(target)))
    text = (_STARTERS / ("slurm.yaml" if for_slurm else "local.yaml")).read_text(encoding="utf-8")
    text = text.replace("@FILE@", name)
    if for_slurm:
        for mark, words in _batch(slurm).items():
            text = text.replace(mark, words)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{target} already exists", "choose another file: mtui init FILE.yaml") from None
    except OSError as error:
        hint = "choose a file in an existing directory: mtui init DIR/study.yaml"
        raise UsageError(f"cannot write {target}: {error.strerror}", hint) from None
    what = "jobs in Slurm" if for_slurm else "local steps"
    print(f"{name} written: a sweep of {what}, and a step that collects the results.")
    print(f"Show what would run: mtui plan {name}")
    print(f"Run it:              mtui {name}")
    return EXIT_FINISHED


def _slurm() -> Slurm | None:
    """Return the Slurm cluster of this machine; None without Slurm."""
    try:
        require_slurm()
    except BackendMissing:
        return None
    return Slurm(Path(), Path(os.devnull))


def _batch(slurm: Slurm | None) -> dict[str, str]:
    """Return the replacements for the `batch` block, as far as the settings of this cluster are known."""
    profile = find_profile("", Path(), os.environ)
    account = slurm.default_account() if slurm else ""
    site = [f"qos: {profile.default_qos}"] if profile and profile.default_qos else []
    if profile and "constraint" in profile.required:
        plain = [name for name, node in profile.nodes.items() if not node.gpus]
        site += [f"constraint: {plain[0]}"] if plain else []
    return {
        "@HOST@": profile.name if profile else "cluster",
        "@ACCOUNT@": f'{json.dumps(account):<22} # the account to charge; "" is your default account',
        "@SITE@": "".join(f"\n  {line}" for line in site),
    }
