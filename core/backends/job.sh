#!/bin/sh
# Runs one attempt of an instance: in a Slurm job, or as a local step on the driver's host.
#
#   job.sh ATTEMPT HOME WORKSPACE SCRIPT NODE TERM SHELL...
#
# ATTEMPT is INSTANCE.NUMBER, the name of the claim and of the records. HOME is the study's .mtui directory, NODE the
# host of a local step (empty in Slurm), TERM is 1 if --signal=B:TERM sends TERM to this shell alone, SHELL the command
# that runs SCRIPT.
#
# The claim comes first: the job that creates the file runs the script, any other job exits with code 75. A claim that
# cannot be written is tried again, for half an hour at most. Records report start and end to the driver; a record is
# complete if it ends with a newline.
#
# All names begin with mtui_: assigning to a variable that the user has exported would change it for the script.

# bash as sh takes its options from exported SHELLOPTS and BASHOPTS. They are for the script; here they break things.
{
    set -- "$-" "$@"
    set +abCefmuvx
    case $1 in
    '' | hB) mtui_options= ;; # as bash has them otherwise
    *) mtui_options="set -$1" ;;
    esac
    shift
    case ${BASHOPTS-} in
    *failglob*) shopt -u failglob && mtui_options="${mtui_options:-:}; shopt -s failglob" ;;
    esac
} 2>/dev/null
# bash as sh would call functions that the user exports.
unset -f [ awk cat cd command date echo env exec kill mkdir printf pwd read rm sed shift shopt sleep srun stat tail \
    test tr true uname wait
mtui_attempt=$1 mtui_home=$2 mtui_workspace=$3 mtui_script=$4 mtui_node=$5 mtui_term=$6
shift 6

if [ -n "$mtui_node" ]; then # a local step; SLURM_JOB_ID is set too if the driver runs in a Slurm job
    mtui_place=local mtui_job=$$ mtui_rerun=
else
    # Other batch systems set MTUI_JOB_ID instead, so that the script does not mistake itself for a Slurm job.
    mtui_place=slurm mtui_job=${MTUI_JOB_ID:-$SLURM_JOB_ID} mtui_node=${SLURMD_NODENAME:-$(uname -n)}
    # A requeued job may run before the driver has read the records of its first run: so its records get other names.
    mtui_rerun=${SLURM_RESTART_COUNT:-0}
    [ "$mtui_rerun" = 0 ] && mtui_rerun= || mtui_rerun=_r$mtui_rerun
    if [ -n "$SLURM_ARRAY_JOB_ID" ]; then
        mtui_job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
        # Hide the array from the script: many scripts choose their work by the task id.
        unset SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MAX \
            SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_STEP
    fi
fi

# Shells such as dash drop variables whose names are no identifiers, such as exported functions: env gives them to the
# script. A local step has MTUI_DROPPED if there are any.
mtui_dropped=
if [ "$mtui_place" = slurm ] || [ -n "${MTUI_DROPPED-}" ]; then
    mtui_dropped=$(
        PATH=/usr/bin:/bin:$PATH
        LC_ALL=C sed -z "/^[^-=][^=]*=/!d; /^[A-Za-z_][A-Za-z0-9_]*=/d; s/'/'\\\\''/g; s/^/'/; s/\$/' /" \
            "/proc/$$/environ" 2>/dev/null | tr -d '\0'
    )
fi

unset MTUI_JOB_ID MTUI_DROPPED

mtui_record() { # kind, further JSON; in one write, without starting a process
    printf '{"v":1,"kind":"%s","attempt":"%s","job":"%s","node":"%s"%s}\n' \
        "$1" "$mtui_attempt" "$mtui_job" "$mtui_node" "$2" >"$mtui_home/spool/new/$mtui_attempt.$1.$mtui_job$mtui_rerun"
}

mtui_claim=$mtui_home/claims/$mtui_attempt

mtui_pause=1 mtui_paused=0
mtui_wait_to_claim() { # a full disk or a lost file server is no failure of the instance
    if [ "$mtui_paused" -ge 1800 ]; then
        echo "mtui: cannot write $mtui_claim for half an hour; this job ends" >&2
        mtui_record exit ',"code":73,"error":"its claim cannot be written"'
        exit 73
    fi
    [ "$mtui_paused" -gt 0 ] || echo "mtui: cannot write $mtui_claim; trying again for half an hour" >&2
    sleep "$mtui_pause"
    mtui_paused=$((mtui_paused + mtui_pause))
    [ "$mtui_pause" -ge 60 ] || mtui_pause=$((mtui_pause * 2))
}

mtui_created= # by this job
while :; do
    # noclobber opens the file with O_EXCL: only one job succeeds, on network file systems too; and it starts no process
    set -C
    [ -n "$mtui_created" ] || { true >"$mtui_claim"; } 2>/dev/null && mtui_created=1
    set +C
    if [ -n "$mtui_created" ]; then
        { printf '%s\n' "$mtui_job" >"$mtui_claim"; } 2>/dev/null && break
        rm -f "$mtui_claim" 2>/dev/null && mtui_created= # the owner could not be written (disk full): undo
    else
        mtui_owner=
        # shellcheck disable=SC2034
        for mtui_try in 1 2 3 4 5; do # its owner may be about to write its id
            { read -r mtui_owner <"$mtui_claim"; } 2>/dev/null && break
            [ -e "$mtui_claim" ] || break
            sleep 1
        done
        [ ! -e "$mtui_claim" ] || break
    fi
    mtui_wait_to_claim
done
if [ -z "$mtui_created" ]; then
    if [ "$mtui_place" = local ] || [ "$mtui_owner" != "$mtui_job" ] || [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
        mtui_record twin ",\"owner\":\"$mtui_owner\""
        echo "mtui: attempt $mtui_attempt is already taken by job ${mtui_owner:-unknown}; this job ends" >&2
        exit 75
    fi
    mtui_exit=$mtui_home/spool/new/$mtui_attempt.exit.$mtui_job
    rm -f "$mtui_exit" "$mtui_exit"_r* # Slurm has requeued the job: it has not ended
fi

mtui_before=${OLDPWD-}
if ! cd "$mtui_workspace"; then
    mtui_record exit ',"code":72,"error":"the workspace does not exist"'
    exit 72
fi
if [ -n "$mtui_before" ]; then OLDPWD=$mtui_before; else unset OLDPWD; fi # as if Slurm had started the script here
# What runs belongs to the user: nobody else may have written the script, nor put another one in its place. Its owner and
# permissions are those of the open file.
mtui_refuse() { # why
    echo "mtui: $mtui_script is not run: $1; this job ends" >&2
    case $mtui_script in
    *[\"\\]*) mtui_script=${mtui_script##*/} ;; # it would have to be quoted in the record
    esac
    case $mtui_script in
    *[\"\\]*) mtui_script="its script" ;;
    esac
    mtui_record exit ",\"code\":77,\"error\":\"$mtui_script is not run: $1\""
    exit 77
}

mtui_check() { # the workspace, as it is called and without links; may set mtui_run_as
    for mtui_name; do # the folders above, too: who can write to one can replace what is in it
        while case $mtui_name in /*/*) ;; *) false ;; esac do
            mtui_name=${mtui_name%/*}
            set -- "$@" "$mtui_name"
        done
    done
    mtui_count=$(($# + 2))
    # shellcheck disable=SC2046
    set -- $(PATH=/usr/bin:/bin:$PATH stat -L -c %a:%u /proc/self/fd/8 / "$@" 2>/dev/null)
    if [ "$#" != "$mtui_count" ]; then # a folder above cannot be seen from here
        mtui_run_as=/proc/self/fd/8
        # shellcheck disable=SC2046
        set -- $(PATH=/usr/bin:/bin:$PATH stat -L -c %a:%u /proc/self/fd/8 2>/dev/null)
        [ "$#" = 1 ] || mtui_refuse "its permissions cannot be read"
    fi
    case $1 in
    *[2367]?:* | *[2367]:*) mtui_refuse "others may write to it (chmod go-w)" ;;
    esac
    mtui_owner=${1#*:}
    shift
    [ ! -L "$mtui_script" ] || mtui_run_as=/proc/self/fd/8
    for mtui_name; do
        case $mtui_name in
        [1357]???:0 | [1357]???:"$mtui_owner") ;; # sticky: only the owner of a file can replace it
        *[2367]?:* | *[2367]:*) mtui_run_as=/proc/self/fd/8 ;;
        *:0 | *:"$mtui_owner") ;;
        *) mtui_run_as=/proc/self/fd/8 ;;
        esac
    done
}

mtui_run_as=$mtui_script
[ -f "$mtui_script" ] || mtui_refuse "it is not a regular file"
{ command exec 8<"$mtui_script"; } 2>/dev/null || mtui_refuse "it cannot be read"
[ -f /proc/self/fd/8 ] || mtui_refuse "it is not a regular file"
[ -s /proc/self/fd/8 ] || mtui_refuse "it is empty, as after a power cut" # it would end as if all were well
[ -O /proc/self/fd/8 ] || mtui_refuse "it belongs to another user"
mtui_check "$mtui_workspace" "$(pwd -P)"
[ "$mtui_run_as" != "$mtui_script" ] || exec 8<&-
eval "set -- ${mtui_dropped:+env $mtui_dropped} \"\$@\""
set -- "$@" "$mtui_run_as"
[ "$mtui_place" = local ] || mtui_record start ""

# At the time limit Slurm sends TERM to every process of the job, so the script gets it directly. Other signals
# (--signal=B:USR1@60) reach only this shell and are forwarded.
mtui_signal=
mtui_again=
mtui_hand_on() {
    mtui_signal=$1 mtui_again=1
    [ "$1" = TERM ] && [ "$mtui_term" != 1 ] || kill -s "$1" "$!" 2>/dev/null
}
for mtui_name in HUP INT QUIT USR1 USR2 ALRM TERM XCPU; do
    # shellcheck disable=SC2064
    trap "mtui_hand_on $mtui_name" "$mtui_name"
done

mtui_run() { # a command and its arguments; sets mtui_code
    if [ -n "$mtui_options" ]; then # stderr is /dev/null: what they have the shell print is not the script's
        { eval "$mtui_options; exec \"\$@\" <&7 7<&- 2>&9 9>&-"; } &
    else
        "$@" <&7 7<&- 2>&9 9>&- &
    fi
    wait "$!"
    mtui_code=$?
    while [ -n "$mtui_again" ]; do # a signal ended the wait; the script may still run
        mtui_again=
        mtui_gone=
        kill -0 "$!" || mtui_gone=1
        wait "$!"
        mtui_late=$?
        # If the process was gone and its exit code was already returned, wait returns 127 (dash) or -1 (bash 5.2).
        # bash also does so if the process ended just as the signal came: its exit code is lost, 128+signal is kept.
        case $mtui_gone$mtui_late in
        1127 | 1-*) ;;
        *) mtui_code=$mtui_late ;;
        esac
    done
}

# A shell gives background processes /dev/null as stdin; the script gets that of the job (--input).
{ command exec 7<&0; } 2>/dev/null || command exec 7</dev/null
exec 9>&2 2>/dev/null # bash prints "Killed" for a killed process, which does not belong in the user's log
if [ "$mtui_place" = local ] || [ -e "$mtui_home/old-env" ]; then
    mtui_run "$@"
else
    # A shell starts background processes with INT and QUIT ignored, and an ignored signal cannot be trapped.
    mtui_run env --default-signal=INT,QUIT "$@"
    if [ "$mtui_code" = 125 ] && ! env --default-signal=INT,QUIT true; then # env of coreutils before 8.31
        true >"$mtui_home/old-env"
        mtui_run "$@"
    fi
fi
exec 2>&9 9>&-
mtui_record exit ",\"code\":$mtui_code,\"signal\":\"$mtui_signal\""
exit "$mtui_code"
