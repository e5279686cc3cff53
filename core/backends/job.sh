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
# records tell the driver of start and end; they appear under their name only when they are complete.
attempt=$1 home=$2 workspace=$3 script=$4 node=$5 pass_term=$6
shift 6

if [ -n "$node" ]; then # a local step; a driver in a Slurm job of its own has SLURM_JOB_ID too
    place=local job=$$
else
    place=slurm job=$SLURM_JOB_ID node=${SLURMD_NODENAME:-$(uname -n)}
    [ -z "$SLURM_ARRAY_JOB_ID" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
fi

record() { # kind, further JSON
    file=$attempt.$1.$job
    printf '{"v":1,"kind":"%s","attempt":"%s","job":"%s","node":"%s"%s}\n' \
        "$1" "$attempt" "$job" "$node" "$2" >"$home/spool/tmp/$file" &&
        mv "$home/spool/tmp/$file" "$home/spool/new/$file"
}

# noclobber opens the file with O_EXCL: one winner, on network file systems too, and no process started
set -C
if ! { printf '%s\n' "$job" >"$home/claims/$attempt"; } 2>/dev/null; then
    owner=
    { read -r owner <"$home/claims/$attempt"; } 2>/dev/null
    if [ "$place" = local ] || [ "$owner" != "$job" ] || [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
        set +C
        record twin ",\"owner\":\"$owner\""
        echo "mtui: attempt $attempt is already taken by job ${owner:-unknown}; this job ends" >&2
        exit 75
    fi
fi
set +C

if ! cd "$workspace"; then
    record exit ',"code":72,"error":"the workspace is not there"'
    exit 72
fi
set -- "$@" "$script"
if [ "$place" = slurm ]; then
    record start ""
    # A shell starts background processes with INT and QUIT ignored, and an ignored signal cannot be trapped.
    if env --default-signal=INT,QUIT true 2>/dev/null; then
        set -- env --default-signal=INT,QUIT "$@"
    fi
fi

# Slurm sends TERM at the end of the time limit to every process of the job, so the script has it already.
# Other signals (--signal=B:USR1@60) reach only this shell and are handed on.
signal=
again=
hand_on() {
    signal=$1 again=1
    [ "$1" = TERM ] && [ "$pass_term" != 1 ] || kill -s "$1" "$child" 2>/dev/null
}
for name in HUP INT QUIT USR1 USR2 ALRM TERM XCPU; do
    # shellcheck disable=SC2064
    trap "hand_on $name" "$name"
done

"$@" &
child=$!
wait "$child" 2>/dev/null # some shells say "Terminated" here, into the user's log
code=$?
while [ -n "$again" ]; do # a signal ended the wait, not the script
    again=
    wait "$child" 2>/dev/null
    late=$?
    [ "$late" = 127 ] || code=$late
done
record exit ",\"code\":$code,\"signal\":\"$signal\""
exit "$code"
