#!/bin/sh
# The srun of packed instances: its steps run beside those of the others, on the nodes that the instance was given.
#
# A job that an instance submitted has these variables too; there it does nothing.
case ${MTUI_PACKED-} in
"$SLURM_JOB_ID".*) set -- --exact "--nodelist=$MTUI_NODES" "$@" ;;
esac
mtui_own=${0%/*}
IFS=:
set -f
for mtui_folder in $PATH; do
    if [ "$mtui_folder" != "$mtui_own" ] && [ -x "$mtui_folder/srun" ] && ! [ -d "$mtui_folder/srun" ]; then
        exec "$mtui_folder/srun" "$@"
    fi
done
echo "srun: not found" >&2
exit 127
