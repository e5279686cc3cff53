#!/bin/sh
# The srun of packed instances: its steps run beside those of the others, on the nodes that the instance was given.
mtui_own=${0%/*}
IFS=:
set -f
for mtui_folder in $PATH; do
    if [ "$mtui_folder" != "$mtui_own" ] && [ -x "$mtui_folder/srun" ] && ! [ -d "$mtui_folder/srun" ]; then
        exec "$mtui_folder/srun" --exact ${MTUI_NODES:+"--nodelist=$MTUI_NODES"} "$@"
    fi
done
echo "srun: not found" >&2
exit 127
