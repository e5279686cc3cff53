#!/bin/sh
# The srun of packed instances: restricts steps to the nodes of the instance, beside the steps of other instances.
#
# A job that an instance submits inherits these variables; there this adds nothing.
case ${MTUI_PACKED-} in
"${SLURM_JOB_ID-}".*) set -- --exact "--nodelist=$MTUI_NODES" "$@" ;;
esac
mtui_own=${0%/*}
IFS=:
case $- in *f*) mtui_set=- ;; *) mtui_set=+ ;; esac # with an exported SHELLOPTS the tasks would get it
set -f
for mtui_folder in $PATH; do
    if [ "$mtui_folder" != "$mtui_own" ] && [ -x "$mtui_folder/srun" ] && ! [ -d "$mtui_folder/srun" ]; then
        set "${mtui_set}f"
        exec "$mtui_folder/srun" "$@"
    fi
done
echo "srun: not found" >&2
exit 127
