"""Options of the `maestro` command line: those accepted before the verb, and those that have no effect in mtui."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

_WITH_VALUE = ("-d", "--debug_lvl", "-l", "--logpath")  # options of `maestro` itself; the next word is the value
_ALONE = re.compile(r"-[dl].+|--(debug_lvl|logpath)=.*|-c|--logstdout")


def add_maestro_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("as in Maestro")
    answer = group.add_mutually_exclusive_group()
    answer.add_argument("-y", "--autoyes", action="store_true",
                        help="do not ask for confirmation; never deletes")  # fmt: skip
    answer.add_argument("-n", "--autono", action="store_true", help="check and plan only; create and start nothing")
    group.add_argument("--usetmp", action="store_true",
                       help="with --dry: write the scripts to a temporary directory")  # fmt: skip
    group.add_argument("-d", "--debug_lvl", type=int, metavar="LEVEL", help="no effect; see --quiet")
    group.add_argument("-l", "--logpath", metavar="PATH", help="no effect; logs are in the study's directory")
    group.add_argument("-c", "--logstdout", action="store_true", help="no effect; see --no-ui")


def before_the_verb(words: Sequence[str]) -> int:
    """Count the leading words that are options which Maestro accepts before its verb, with their values."""
    count = 0
    while count < len(words):
        if words[count] in _WITH_VALUE:
            count += 2
        elif _ALONE.fullmatch(words[count]):
            count += 1
        else:
            break
    return min(count, len(words))


def notes(arguments: argparse.Namespace) -> list[str]:
    """Return a note for each given option that has no effect."""
    said: list[str] = []
    if arguments.debug_lvl is not None:
        said.append("-d has no effect: all logs are in .mtui/ in the study's directory")
    if arguments.logpath is not None:
        said.append("-l has no effect, as in Maestro: logs are in .mtui/ in the study's directory")
    if arguments.usetmp and not arguments.dry:
        said.append("--usetmp has no effect without --dry: scripts are written to their workspaces")
    return said
