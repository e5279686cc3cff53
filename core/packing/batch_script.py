"""Creates the batch script of an allocation."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import join, quote

from ..directive_text import directive_word
from ..shell_environment import FIND_DROPPED

_TEXT = """\
#!/bin/sh
{directives}
# An allocation that many instances share: its instances are listed in allocations/{name}.list.
set -- "$-" # bash as sh takes options from an exported SHELLOPTS: they are for the scripts, as in job.sh
{{ set +abCefmuvx; }} 2>/dev/null
case $1 in
'' | hB) mtui_options=: ;;
*) mtui_options="set -$1" ;;
esac
{find_dropped}
eval "set -- $mtui_dropped"
[ "$#" = 0 ] || set -- env "$@"
unset SLURM_OPEN_MODE # of --open-mode above; srun would read it as its own option
mtui_home={home}
mtui_python={python}
mtui_records=$mtui_home/allocations/{name}.records
mtui_leader=mtui.core.packing.leader
mtui_orphans=mtui.core.packing.orphans

mtui_over() {{ # why; unless the leader has said so itself
    case $(tail -n 1 "$mtui_records" 2>/dev/null) in
    *'"kind":"over"'*) return ;;
    esac
    [ -z "$(tail -c 1 "$mtui_records" 2>/dev/null)" ] || echo >>"$mtui_records" # a line was cut short
    printf '{{"v":1,"kind":"over","job":"%s","why":"%s","at":%d}}\\n' "$SLURM_JOB_ID" "$1" "$(date +%s)" \\
        >>"$mtui_records"
}}

# Slurm signals every process of a job to end; this shell stays until the leader has cleaned up.
trap : HUP INT TERM USR1 USR2
mtui_wait() {{
    wait "$!"
    mtui_code=$?
    while kill -0 "$!" 2>/dev/null; do # a signal ended the wait
        wait "$!"
        mtui_code=$?
    done
}}

# Workers end what they ran when they lose the leader; of one that was killed too, processes are left on its node, and
# would run beside the next attempts. Where no step starts, Slurm alone has to end them.
mtui_end_orphans() {{
    (cd / && exec timeout -k 5 60 srun --overlap --ntasks="$SLURM_NNODES" --ntasks-per-node=1 --mpi=none \\
        --cpu-bind=none --kill-on-bad-exit=0 --wait=0 --input=none --export=ALL "$mtui_python" -m "$mtui_orphans" \\
        "${{SLURM_CONF-}}") &
    mtui_wait
}}

# Python looks for modules in the current directory first; there are none in /.
if (cd / && exec "$mtui_python" -c "import $mtui_leader"); then
    (cd / && eval "$mtui_options" && exec "$@" "$mtui_python" -m "$mtui_leader" "$mtui_home" {arguments}) &
    mtui_wait
    [ "$mtui_code" = 0 ] || sleep 1 # its workers end what they ran when they lose it
    mtui_ended=$mtui_code
    [ "$mtui_ended" -le 128 ] || mtui_end_orphans
    mtui_code=$mtui_ended
    mtui_over "its leader ended with code $mtui_code"
else
    "$@" srun --overlap --ntasks="$SLURM_NNODES" --ntasks-per-node=1 --mpi=none --cpu-bind=none --kill-on-bad-exit=0 \\
        --wait=0 --input=none --export=ALL sh "$mtui_home/fallback.sh" "$mtui_home" {fallback} &
    mtui_wait
    rm -rf "$mtui_home/allocations/{name}.taken"
    mtui_over ended
fi
exit "$mtui_code"
"""


def allocation_script(
    name: str,
    home: str,
    python: str,
    idle: int,
    cores: int,
    shell_words: Sequence[str],
    options: Sequence[str],
) -> str:
    """Return the batch script of allocation `name`; `options` are those of sbatch, such as --nodes=2.

    `cores` is the most that an instance uses: on nodes without Python it sets how many instances run at a time. `idle`
    is in seconds.
    """
    # Set here, so that requeueing and truncated logs do not depend on the site's defaults.
    directives = "\n".join(
        f"#SBATCH {directive_word(option)}" for option in (*options, "--no-requeue", "--open-mode=append")
    )
    return _TEXT.format(
        directives=directives,
        find_dropped=FIND_DROPPED,
        name=name,
        home=quote(home),
        python=quote(python),
        arguments=join((name, str(idle), *shell_words)),
        fallback=join((name, str(idle), str(cores), *shell_words)),
    )
