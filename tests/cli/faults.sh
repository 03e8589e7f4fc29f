#!/bin/bash
# What goes wrong between hosts: a link that is cut while training goes on, a disk that is full on the host that writes, ranks
# that are killed. After each the run goes on, also with another number of ranks, to the weights of a run that nobody
# disturbed: the same bits with the same number of ranks, the same to rounding with another. Hosts are network
# namespaces (bench/netns.sh), which need root; elsewhere this says so and is skipped (77).
# Usage: faults.sh GLISSADE [KILLS=4]
set -u
here=$(dirname "$(realpath "$0")")
glissade=$(realpath "$1") kills=${2:-4} hosts=4 mbit=1000
if [ "$(id -u)" != 0 ] || ! command -v ip tc mpirun >/dev/null || ! ip netns add "glprobe$$" 2>/dev/null; then
    echo "skipped: network namespaces need root, iproute2 and mpirun"
    exit 77
fi
ip netns del "glprobe$$"
work=$(mktemp -d)
. "$here/../../bench/netns.sh"
wrong=0
leave() {
    umount "$work/small" 2>/dev/null
    hosts_leave
    rm -rf "$work"
}
trap leave EXIT
hosts_make || exit 1

say() { printf '%-60s %s\n' "$1" "$2"; }
fail() {
    say "$1" "WRONG: $2"
    wrong=1
}

# A checkpoint after every step, evaluations after every fifth; 170,000 parameters, so that sums travel in parts.
cat >"$work/c.yaml" <<YAML
data: {format: gaussians, train_size: 600, test_size: 100, classes: 3, features: 200}
model: {name: mlp, hidden: [512, 128]}
estimator: {name: microbatch, microbatch: 4}
method: {name: msgd, lr: 0.02}
train: {steps: 60, epochs: 0, batch: 48, checkpoint_every: 1s, validate_every: 5s, monitor: test, threads: 1,
  workers: 1, log_every: 1s, final_train: 600}
YAML

weights() { echo "$1/final.safetensors"; }
# near A B: distance of the weights over their norm.
distance() {
    python3 - "$(weights "$1")" "$(weights "$2")" <<'PYTHON'
import array
import json
import struct
import sys

def values(path):
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        begin = file.tell()
        out = array.array("f")
        for name in sorted(head):
            if name == "__metadata__" or head[name]["dtype"] != "F32":
                continue
            first, last = head[name]["data_offsets"]
            file.seek(begin + first)
            out.frombytes(file.read(last - first))
    return out

a, b = values(sys.argv[1]), values(sys.argv[2])
assert len(a) == len(b) > 0
print((sum((x - y) ** 2 for x, y in zip(a, b)) / sum(x * x for x in a)) ** 0.5)
PYTHON
}
# goes_on WHAT RUN RANKS BEFORE: to the end with so many ranks, and to the weights of whole-BEFORE.
goes_on() {
    if ! on_hosts "$3" "$glissade" train --resume "$2" --quiet >"$work/out" 2>&1; then
        fail "$1" "$(tail -n 3 "$work/out")"
    elif [ "$3" = "$4" ]; then
        cmp -s "$(weights "$2")" "$(weights "$work/whole-$4")" && say "$1" "the same bits" || fail "$1" "other bits"
    else
        apart=$(distance "$2" "$work/whole-$4")
        awk "BEGIN { exit !($apart < 1e-4) }" && say "$1" "apart by $apart" || fail "$1" "apart by $apart"
    fi
}
steps_of() {
    local count
    count=$(grep -c '"loss"' "$1/metrics.jsonl" 2>/dev/null)
    echo "${count:-0}"
}
# begin RANKS RUN: in the background, until some steps are done.
begin() {
    local ranks=$1 run=$2 options=(--out "$2")
    [ ! -e "$run/config.yaml" ] || options=(--resume "$run")
    local before
    before=$(steps_of "$run")
    [ -e "$run/config.yaml" ] || options+=("$work/c.yaml")
    on_hosts "$ranks" "$glissade" train "${options[@]}" --quiet >"$work/out" 2>&1 &
    job=$!
    for _ in $(seq 600); do
        [ "$(steps_of "$run")" -le "$before" ] || return 0
        kill -0 $job 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
ranks_there() { pgrep -f "^$glissade train .*$work/"; }
# ended WHAT SENTENCE: the ranks of `begin` must end by themselves within half a minute, with that sentence and not as if all
# were well. Open MPI's launcher waits on for a daemon that it cannot reach: it is ended here.
ended() {
    local code
    for _ in $(seq 300); do
        ranks_there >/dev/null || break
        sleep 0.1
    done
    if ranks_there >/dev/null; then
        fail "$1" "ranks still wait after half a minute"
        kill -KILL $(ranks_there)
    fi
    sleep 1
    kill $(pgrep -P $job) $job 2>/dev/null
    wait $job
    code=$?
    if [ $code = 0 ]; then
        fail "$1" "ended with 0"
    elif ! grep -q "$2" "$work/out"; then
        fail "$1" "nobody said '$2': $(tail -n 3 "$work/out")"
    else
        say "$1" "$(grep -m 1 "$2" "$work/out")"
    fi
}

for ranks in 2 4; do
    on_hosts $ranks "$glissade" train "$work/c.yaml" --out "$work/whole-$ranks" --quiet || exit 1
done
say "ranks 4 beside 2, undisturbed" "apart by $(distance "$work/whole-2" "$work/whole-4")"

# The cable of the second host. Its daemon can no longer be told to end its rank, which finds out by itself.
MPIRUN_OPTIONS=--enable-recovery
begin 2 "$work/cut" || fail "cut link" "did not begin: $(tail -n 3 "$work/out")"
ip link set "glv$$-2" down
ended "cut link" "is gone"
ip link set "glv$$-2" up
MPIRUN_OPTIONS=
goes_on "cut link, resumed by 2" "$work/cut" 2 2

# A disk of 3 MB, on which two checkpoints find room and a third does not.
mkdir "$work/small"
mount -t tmpfs -o size=3m tmpfs "$work/small"
begin 2 "$work/small/full" || true
ended "full disk" "No space left"
ls "$work/small/full/checkpoints" | grep -q . || fail "full disk" "no checkpoint is left"
mount -o remount,size=200m "$work/small"
goes_on "full disk, resumed by 3 from 2" "$work/small/full" 3 2

# Kills, at any moment of steps, sums, checkpoints and evaluations. RANDOM is seeded: the same moments each time, as far as
# the machine has the same speed.
RANDOM=7
for from in 2 4; do
    for k in $(seq $((kills / 2))); do
        begin $from "$work/killed-$from" || continue
        sleep "0.0$((RANDOM % 90 + 10))"
        victim=$(ranks_there | shuf -n 1 --random-source=<(yes $RANDOM))
        [ -z "$victim" ] || kill -KILL "$victim"
        wait $job
    done
done
cp -r "$work/killed-2" "$work/killed-3"
goes_on "$((kills / 2)) kills, resumed by 2 from 2" "$work/killed-2" 2 2
goes_on "$((kills / 2)) kills, resumed by 3 from 2" "$work/killed-3" 3 2
goes_on "$((kills / 2)) kills, resumed by 2 from 4" "$work/killed-4" 2 4
exit $wrong
