#!/bin/sh
# The srun of packed instances: restricts steps to the nodes of the instance, beside the steps of other instances.
#
# A job that an instance submits inherits these variables; there this adds nothing.
case ${MTUI_PACKED-} in
"${SLURM_JOB_ID-}".*) set -- --exact "--nodelist=$MTUI_NODES" "$@" ;;
esac
# What dash drops of the environment is for the tasks, as in job.sh.
unset -f [ awk cat cd command date echo env exec kill mkdir printf pwd read rm sed shift shopt sleep srun stat tail \
    test tr true uname wait
mtui_dropped=$(
    PATH=/usr/bin:/bin:$PATH
    LC_ALL=C sed -z "/^[^-=][^=]*=/!d; /^[A-Za-z_][A-Za-z0-9_]*=/d; s/'/'\\\\''/g; s/^/'/; s/\$/' /" \
        "/proc/$$/environ" 2>/dev/null | tr -d '\0'
)
mtui_own=${0%/*}
IFS=:
case $- in *f*) mtui_set=- ;; *) mtui_set=+ ;; esac # with an exported SHELLOPTS the tasks would get it
set -f
for mtui_folder in $PATH; do
    if [ "$mtui_folder" != "$mtui_own" ] && [ -x "$mtui_folder/srun" ] && ! [ -d "$mtui_folder/srun" ]; then
        set "${mtui_set}f"
        [ -z "$mtui_dropped" ] || eval "exec env $mtui_dropped \"\$mtui_folder/srun\" \"\$@\""
        exec "$mtui_folder/srun" "$@"
    fi
done
echo "srun: not found" >&2
exit 127
