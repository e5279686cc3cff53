#!/bin/sh
# Runs one attempt of one instance, on whatever node Slurm gave it or beside the driver.
#
#   job.sh ATTEMPT HOME WORKSPACE SCRIPT NODE TERM SHELL...
#
# ATTEMPT names the claim and the records (INSTANCE.NUMBER), HOME is the study's .mtui directory, NODE the host
# of a local step (empty in Slurm), TERM 1 if Slurm was asked to send TERM to this shell alone, SHELL the words
# that start SCRIPT.
#
# The claim comes first: whoever creates the file may run the payload, anybody else ends with code 75. The
# records tell the driver of start and end; one is complete with the end of its line.
#
# All names begin with mtui_: setting one that the user has exported would change it for the script as well.
mtui_attempt=$1 mtui_home=$2 mtui_workspace=$3 mtui_script=$4 mtui_node=$5 mtui_term=$6
shift 6

if [ -n "$mtui_node" ]; then # a local step; a driver in a Slurm job of its own has SLURM_JOB_ID too
    mtui_place=local mtui_job=$$ mtui_rerun=
else
    # The id is MTUI_JOB_ID where another batch system says so: a script is not to take itself for a job of Slurm.
    mtui_place=slurm mtui_job=${MTUI_JOB_ID:-$SLURM_JOB_ID} mtui_node=${SLURMD_NODENAME:-$(uname -n)}
    # A job that Slurm puts back may run again before the records of its first run are put away: its own have other names.
    mtui_rerun=${SLURM_RESTART_COUNT:-0}
    [ "$mtui_rerun" = 0 ] && mtui_rerun= || mtui_rerun=_r$mtui_rerun
    if [ -n "$SLURM_ARRAY_JOB_ID" ]; then
        mtui_job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
        # That it shares an array is not the script's business: many choose what to do by their task.
        unset SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MAX \
            SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_STEP
    fi
fi

unset MTUI_JOB_ID

mtui_record() { # kind, further JSON; in one write, and no process is started for it
    printf '{"v":1,"kind":"%s","attempt":"%s","job":"%s","node":"%s"%s}\n' \
        "$1" "$mtui_attempt" "$mtui_job" "$mtui_node" "$2" >"$mtui_home/spool/new/$mtui_attempt.$1.$mtui_job$mtui_rerun"
}

mtui_unwritten() {
    echo "mtui: cannot write $mtui_claim; this job ends" >&2
    mtui_record exit ',"code":73,"error":"its claim cannot be written"'
    exit 73
}

# noclobber opens the file with O_EXCL: one winner, on network file systems too, and no process started
mtui_claim=$mtui_home/claims/$mtui_attempt
mtui_owner=
set -C
{ true >"$mtui_claim"; } 2>/dev/null || mtui_owner=unknown
set +C
if [ -z "$mtui_owner" ]; then
    { printf '%s\n' "$mtui_job" >"$mtui_claim"; } 2>/dev/null || {
        rm -f "$mtui_claim" # ours, but there is no room to say so: it is left as it was found
        mtui_unwritten
    }
else
    # shellcheck disable=SC2034
    for mtui_try in 1 2 3 4 5; do # whoever created it may be about to write into it
        { read -r mtui_owner <"$mtui_claim"; } 2>/dev/null && break
        [ -e "$mtui_claim" ] || break
        sleep 1
    done
    [ -e "$mtui_claim" ] || mtui_unwritten
    if [ "$mtui_place" = local ] || [ "$mtui_owner" != "$mtui_job" ] || [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
        mtui_record twin ",\"owner\":\"$mtui_owner\""
        echo "mtui: attempt $mtui_attempt is already taken by job ${mtui_owner:-unknown}; this job ends" >&2
        exit 75
    fi
    mtui_exit=$mtui_home/spool/new/$mtui_attempt.exit.$mtui_job
    rm -f "$mtui_exit" "$mtui_exit"_r* # Slurm has put the job back: it is not over
fi

if ! cd "$mtui_workspace"; then
    mtui_record exit ',"code":72,"error":"the workspace is not there"'
    exit 72
fi
set -- "$@" "$mtui_script"
[ "$mtui_place" = local ] || mtui_record start ""

# Slurm sends TERM at the end of the time limit to every process of the job, so the script has it already.
# Other signals (--signal=B:USR1@60) reach only this shell and are handed on.
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

mtui_run() { # the words of a command; sets mtui_code
    "$@" 2>&9 9>&- &
    wait "$!"
    mtui_code=$?
    while [ -n "$mtui_again" ]; do # a signal ended the wait, perhaps not the script
        mtui_again=
        mtui_gone=
        kill -0 "$!" || mtui_gone=1
        wait "$!"
        mtui_late=$?
        # Of a process that was gone, a shell that has told its end already says 127 (dash) or -1 (bash 5.2). So does
        # bash if the process ended just as the signal came: it forgets the code then, and the signal counts for one.
        case $mtui_gone$mtui_late in
        1127 | 1-*) ;;
        *) mtui_code=$mtui_late ;;
        esac
    done
}

exec 9>&2 2>/dev/null # bash says "Killed" of a process, which is not for the log of the user
if [ "$mtui_place" = local ] || [ -e "$mtui_home/old-env" ]; then
    mtui_run "$@"
else
    # A shell starts background processes with INT and QUIT ignored, and an ignored signal cannot be trapped.
    mtui_run env --default-signal=INT,QUIT "$@"
    if [ "$mtui_code" = 125 ] && ! env --default-signal=INT,QUIT true; then # an env before coreutils 8.31
        true >"$mtui_home/old-env"
        mtui_run "$@"
    fi
fi
exec 2>&9 9>&-
mtui_record exit ",\"code\":$mtui_code,\"signal\":\"$mtui_signal\""
exit "$mtui_code"
