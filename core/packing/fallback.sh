#!/bin/sh
# Replaces leader and workers on compute nodes without Python; one runs on each node.
#
#   fallback.sh HOME NAME IDLE CORES SHELL...
#
# HOME is the study's .mtui directory, NAME the name of the allocation, IDLE the seconds without new work after which it
# ends, CORES the most that an instance uses, which sets how many run at a time, SHELL the command that runs a script.
#
# Runs only instances of one node without parents; job.sh claims them and writes their records to the spool.
# All names begin with mtui_: assigning to a variable that the user has exported would change it for the scripts.
{ # bash as sh takes options from exported SHELLOPTS and BASHOPTS: as in job.sh
    set -- "$-" "$@"
    set +abCefmuvx
    case $1 in
    '' | hB) mtui_options=: ;;
    *) mtui_options="set -$1" ;;
    esac
    shift
    case ${BASHOPTS-} in
    *failglob*) shopt -u failglob && mtui_options="$mtui_options; shopt -s failglob" ;;
    esac
} 2>/dev/null
# What dash drops of the environment is for the scripts, as in job.sh.
unset -f [ awk cat cd command date echo env exec kill mkdir printf pwd read rm sed shift shopt sleep srun stat tail \
    test tr true uname wait
mtui_dropped=$(
    PATH=/usr/bin:/bin:$PATH
    LC_ALL=C sed -z "/^[^-=][^=]*=/!d; /^[A-Za-z_][A-Za-z0-9_]*=/d; s/'/'\\\\''/g; s/^/'/; s/\$/' /" \
        "/proc/$$/environ" 2>/dev/null | tr -d '\0'
)
mtui_home=$1 mtui_name=$2 mtui_idle=$3 mtui_slots=$((${SLURM_CPUS_ON_NODE:-1} / $4))
[ "$mtui_slots" -gt 0 ] || mtui_slots=1
shift 4
mtui_list=$mtui_home/allocations/$mtui_name.list
mtui_taken=$mtui_home/allocations/$mtui_name.taken # a file per attempt: assigns it to one loop, has node and process id
until mkdir -p "$mtui_taken"; do sleep 5; done # a full disk
mtui_tab=$(printf '\t')
mtui_timeout=
if command -v timeout >/dev/null; then mtui_timeout=1; fi

if [ "${SLURM_PROCID:-0}" = 0 ]; then
    mtui_cores=$((${SLURM_CPUS_ON_NODE:-1} * ${SLURM_NNODES:-1}))
    mtui_gap=
    until printf '%s{"v":1,"kind":"began","job":"%s","hosts":[],"cores":%d,"left":null,"mode":"sh","at":%d}\n' \
        "$mtui_gap" "$SLURM_JOB_ID" "$mtui_cores" "$(date +%s)" >>"$mtui_home/allocations/$mtui_name.records"; do
        mtui_gap='
' # a full disk: part of the line may be there
        sleep 5
    done
fi

# Prints the items of complete dispatches after the first $1: first those of this loop ($2), so that loops do not
# compete for the same items, then those of other loops. Last the number of items, and whether the list has ended.
mtui_read_list() {
    awk -F '\t' -v skip="$1" -v own="$2" -v loops="$mtui_loops" '
        /\030/ { left = 0; next }
        $1 == "give" { left = $3; held = 0; next }
        $1 == "cancel" { left = 0; next }
        $1 == "end" { left = 0; ended = 1; next }
        $1 == "abort" { left = first = last = 0; skip = 1e9; ended = 1; next }
        left > 0 && ($1 == "all" || $1 == "run" && NF == 13) {
            if ($1 == "run") gift[held++] = $0
            if (--left == 0)
                for (i = 0; i < held; i++)
                    if (++count > skip) {
                        if (count % loops == own) mine[++first] = gift[i]
                        else others[++last] = gift[i]
                    }
            next
        }
        NF { left = 0 }
        END {
            for (i = 1; i <= first; i++) print mine[i]
            for (i = 1; i <= last; i++) print others[i]
            printf "count\t%d\t%d\n", count, ended
        }
    ' "$mtui_list" 2>/dev/null
}

mtui_take() { # noclobber opens with O_EXCL: only one succeeds, on network file systems too; and it starts no process
    mtui_pause=1
    while [ ! -e "$mtui_home/claims/$1" ]; do
        set -C
        { true >"$mtui_taken/$1"; } 2>/dev/null
        mtui_code=$?
        set +C
        [ "$mtui_code" != 0 ] || return 0
        [ ! -e "$mtui_taken/$1" ] || return 1
        sleep "$mtui_pause" # neither taken nor writable: a full disk
        [ "$mtui_pause" -ge 60 ] || mtui_pause=$((mtui_pause * 2))
    done
    return 1
}

# Prints the attempts to cancel, or "all". The CAN appended to the list invalidates a last line that is incomplete.
mtui_read_ends() {
    { cat "$mtui_list" && printf '\030\n'; } 2>/dev/null |
        awk -F '\t' '!/\030/ && $1 == "cancel" { print $2 } !/\030/ && $1 == "abort" { print "all" }'
}

mtui_end() { # the file of a running attempt: send it TERM, once, if it runs on this node
    { read -r mtui_node mtui_pid <"$1"; } 2>/dev/null && [ "$mtui_node" = "$SLURMD_NODENAME" ] || return 0
    : >"$1"
    kill -TERM "$mtui_pid" 2>/dev/null # job.sh forwards it; timeout sends KILL later
}

mtui_watch() { # apply cancel and abort orders to attempts on this node, until killed
    mtui_mark=$mtui_taken/watch.${SLURM_PROCID:-0} mtui_looks=0
    while :; do
        true >"$mtui_mark"
        for mtui_attempt in $(mtui_read_ends); do
            if [ "$mtui_attempt" = all ]; then
                for mtui_file in "$mtui_taken"/*.*; do mtui_end "$mtui_file"; done
            else
                mtui_end "$mtui_taken/$mtui_attempt"
            fi
        done
        while :; do # as below
            sleep 1
            mtui_looks=$((mtui_looks + 1))
            # shellcheck disable=SC3013
            if [ "$mtui_list" -nt "$mtui_mark" ] || [ "$((mtui_looks % 15))" = 0 ]; then break; fi
        done
    done
}

mtui_run() { # attempt, workspace, script, stem, tasks, cpus, seconds, the shell command
    mtui_attempt=$1 mtui_workspace=${mtui_home%/*}/$2 mtui_script=$3 mtui_stem=$4
    SLURM_NTASKS=$5 SLURM_NPROCS=$5 SLURM_TASKS_PER_NODE=$5 SLURM_CPUS_PER_TASK=$6 SRUN_CPUS_PER_TASK=$6
    SLURM_NNODES=1 SLURM_JOB_NUM_NODES=1 SLURM_NODELIST=$SLURMD_NODENAME SLURM_JOB_NODELIST=$SLURMD_NODENAME
    SLURM_JOB_NAME=$4 SLURM_EXACT=1
    export SLURM_NTASKS SLURM_NPROCS SLURM_TASKS_PER_NODE SLURM_CPUS_PER_TASK SRUN_CPUS_PER_TASK \
        SLURM_NNODES SLURM_JOB_NUM_NODES SLURM_NODELIST SLURM_JOB_NODELIST SLURM_JOB_NAME SLURM_EXACT
    # Requests of the allocation, which srun would compare with these, or apply to each step.
    unset SLURM_TRES_PER_TASK SLURM_NTASKS_PER_NODE SLURM_NTASKS_PER_CORE SLURM_NTASKS_PER_SOCKET SLURM_NTASKS_PER_GPU \
        SLURM_CPUS_PER_GPU SLURM_EXPORT_ENV
    mtui_seconds=$7
    shift 7
    if [ -n "$mtui_timeout" ]; then # 0 seconds: no time limit, but it still forwards TERM and then sends KILL
        set -- timeout -k 10 "$mtui_seconds" "$@"
    fi
    set -- "$mtui_home/job.sh" "$mtui_attempt" "$mtui_home" "$mtui_workspace" "$mtui_script" "" 1 "$@"
    mtui_log=$mtui_workspace/$mtui_stem
    mtui_out=$mtui_log.out mtui_err=$mtui_log.err
    [ -d "$mtui_workspace" ] || mtui_out=/dev/null mtui_err=/dev/null
    # shellcheck disable=SC2016
    (
        eval "$mtui_options" 2>/dev/null
        [ -z "$mtui_dropped" ] || export mtui_dropped
        exec sh -c 'set +eC; echo "$SLURMD_NODENAME $$" >"$0"
            [ -z "${mtui_dropped-}" ] || eval "exec env -u mtui_dropped $mtui_dropped sh \"\$@\""
            exec sh "$@"' "$mtui_taken/$mtui_attempt" "$@" \
            </dev/null >>"$mtui_out" 2>>"$mtui_err"
    )
    : >"$mtui_taken/$mtui_attempt" # the process id may be reused
}

mtui_loop() { # number of this loop, the shell command; until the list has ended or is idle
    mtui_own=$1 mtui_mark=$mtui_taken/loop.$1
    shift
    mtui_seen=0 mtui_waited=0 mtui_ended=0
    while :; do
        true >"$mtui_mark"
        mtui_new=$(mtui_read_list "$mtui_seen" "$mtui_own")
        mtui_before=$mtui_seen
        # shellcheck disable=SC2034
        while IFS=$mtui_tab read -r mtui_kind mtui_attempt mtui_nodes mtui_tasks mtui_cpus mtui_gpus mtui_memory \
            mtui_seconds mtui_exclusive mtui_workspace mtui_script mtui_stem mtui_waits; do
            if [ "$mtui_kind" = count ]; then
                mtui_seen=$mtui_attempt mtui_ended=$mtui_nodes
            elif [ "$mtui_nodes$mtui_waits" = 1- ] && mtui_take "$mtui_attempt"; then
                (mtui_run "$mtui_attempt" "$mtui_workspace" "$mtui_script" "$mtui_stem" "$mtui_tasks" "$mtui_cpus" \
                    "$mtui_seconds" "$@")
                mtui_waited=0
            fi
        done <<EOF
$mtui_new
EOF
        [ "$mtui_seen" = "$mtui_before" ] || continue
        while :; do # checking the list's modification time starts no process, reading it does
            [ "$mtui_ended" = 0 ] && [ "$mtui_waited" -lt "$mtui_idle" ] || return 0
            sleep 1
            mtui_waited=$((mtui_waited + 1))
            # Both files may have the same modification time, so every 15 s the list is read regardless.
            # shellcheck disable=SC3013
            if [ "$mtui_list" -nt "$mtui_mark" ] || [ "$((mtui_waited % 15))" = 0 ]; then break; fi
        done
    done
}

mtui_watch &
mtui_watcher=$!
mtui_loops=$((mtui_slots * ${SLURM_NNODES:-1}))
mtui_slot=0 mtui_pids=
while [ "$mtui_slot" -lt "$mtui_slots" ]; do
    mtui_loop "$((mtui_slots * ${SLURM_PROCID:-0} + mtui_slot))" "$@" &
    mtui_pids="$mtui_pids $!"
    mtui_slot=$((mtui_slot + 1))
done
# shellcheck disable=SC2086
wait $mtui_pids
kill "$mtui_watcher"
