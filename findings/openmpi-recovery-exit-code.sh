#!/bin/sh
# Open MPI 4.1.4: `mpirun --enable-recovery`, which leaves the other processes alone when one ends badly, returns 0 whatever
# became of them: killed, or all of them with an exit code of their own. Without the option the code is the signal's or the
# process's. A job script that asks mpirun whether the work was done is told yes; look at what the work leaves instead.
#
# Seen on 2026-11-29 (Debian 12, openmpi-bin 4.1.4-3), what mpirun returns:
#   killed: 137, with recovery 0
#   exit 3: 3, with recovery 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
run() { # WORDS OF MPIRUN, COMMAND
    code=0
    timeout 60 mpirun.openmpi $1 -n 2 sh -c "$2" >/dev/null 2>&1 || code=$?
    echo "$code"
}
killed='test "$OMPI_COMM_WORLD_RANK" = 0 && kill -9 $$; sleep 1'
{
    echo "killed: $(run "" "$killed"), with recovery $(run --enable-recovery "$killed")"
    echo "exit 3: $(run "" 'exit 3'), with recovery $(run --enable-recovery 'exit 3')"
} >"$folder/found"
printf '%s\n' "killed: 137, with recovery 0" "exit 3: 3, with recovery 0" >"$folder/expected"
mpirun.openmpi --version | head -1
cat "$folder/found"
cmp "$folder/found" "$folder/expected"
