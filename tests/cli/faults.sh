#!/bin/bash
# What goes wrong between hosts: a link that is cut while training goes on, a disk that is full on the host that writes, ranks
# that are killed at any moment, and aimed at a checkpoint, a sum, an evaluation (aim.py). After each the run goes on, also with
# another number of ranks, to the weights of a run that nobody disturbed: the same bits with the same number of ranks, the same
# to rounding with another. Hosts are network namespaces (bench/netns.sh), which need root; elsewhere this says so and is skipped (77).
# Usage: faults.sh GLISSADE [KILLS=4] [AIMED=6]
set -u
here=$(dirname "$(realpath "$0")")
glissade=$(realpath "$1") kills=${2:-4} aimed=${3:-6} hosts=4 mbit=1000
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
sleep 3 # until the hosts have found each other again
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
if [ "$kills" -gt 0 ]; then
    cp -r "$work/killed-2" "$work/killed-3"
    goes_on "$((kills / 2)) kills, resumed by 2 from 2" "$work/killed-2" 2 2
    goes_on "$((kills / 2)) kills, resumed by 3 from 2" "$work/killed-3" 3 2
    goes_on "$((kills / 2)) kills, resumed by 2 from 4" "$work/killed-4" 2 4
fi
[ "$aimed" -gt 0 ] || exit $wrong

# Aimed kills, in turn at a checkpoint, a sum and an evaluation: slow links, so that sums take most of a step, and a test set that
# takes a while. Survivors are left to themselves, and must end with 1 within ten seconds, after one sentence between them.
hosts_rate 50
MPIRUN_OPTIONS=--enable-recovery
sed -i 's/test_size: 100/test_size: 30000/; s/steps: 60/steps: 150/' "$work/c.yaml"
mkdir "$work/codes"
cat >"$work/watched" <<'WATCHED'
#!/bin/bash
codes=$1
shift
"$@"
code=$?
echo $code >"$codes/$OMPI_COMM_WORLD_RANK"
exit $code
WATCHED
chmod +x "$work/watched"
for ranks in 2 4; do
    rm -rf "$work/whole-$ranks"
    on_hosts $ranks "$glissade" train "$work/c.yaml" --out "$work/whole-$ranks" --quiet || exit 1
done

# whole_checkpoints RUN: every one is as long as its head says.
whole_checkpoints() {
    python3 - "$1" <<'PYTHON'
import glob
import json
import os
import struct
import sys

names = glob.glob(sys.argv[1] + "/checkpoints/step-*.safetensors")
for name in names:
    with open(name, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for key, entry in head.items() if key != "__metadata__"]
    assert os.path.getsize(name) == 8 + length + max(ends), name
assert names
PYTHON
}
# survivors_end WHAT RANKS VICTIM: within ten seconds all are gone, all but the victim with 1.
survivors_end() {
    local began=$EPOCHREALTIME took rank said
    for _ in $(seq 200); do
        ranks_there >/dev/null || break
        sleep 0.05
    done
    took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")
    if ranks_there >/dev/null; then
        fail "$1" "ranks still wait after ten seconds"
        kill -KILL $(ranks_there)
    fi
    sleep 0.2
    kill $(pgrep -P $job) $job 2>/dev/null
    wait $job
    for rank in $(seq 0 $(($2 - 1))); do
        [ "$rank" = "$3" ] || [ "$(cat "$work/codes/$rank" 2>/dev/null)" = 1 ] ||
            fail "$1" "rank $rank ended with '$(cat "$work/codes/$rank" 2>/dev/null)'"
    done
    said=$(grep -c "^glissade: " "$work/out")
    [ "$said" = 1 ] && grep -q "rank $3 is gone" "$work/out" || fail "$1" "said $said times: $(grep "^glissade: " "$work/out")"
    took_longest=$(awk "BEGIN { print ($took > $took_longest) ? $took : $took_longest }")
}

phases=(checkpoint exchange evaluation) took_longest=0
declare -A hit=([checkpoint]=0 [exchange]=0 [evaluation]=0 [step]=0)
for k in $(seq "$aimed"); do
    ranks=$((k % 2 ? 2 : 4)) run="$work/aimed-$ranks" phase=${phases[k / 2 % 3]}
    options=(--resume "$run")
    [ -e "$run/config.yaml" ] || options=("$work/c.yaml" --out "$run")
    rm -f "$work/codes/"*
    on_hosts $ranks "$work/watched" "$work/codes" "$glissade" train "${options[@]}" --quiet >"$work/out" 2>&1 &
    job=$!
    for _ in $(seq 400); do
        [ "$(ranks_there | wc -l)" != $ranks ] || break
        sleep 0.05
    done
    if ! found=$(python3 "$here/aim.py" "$phase" "$run" "$k" $(ranks_there) 2>&1); then
        fail "kill $k, $phase" "$found $(tail -n 3 "$work/out")"
        kill $(ranks_there) $job
        wait $job
        continue
    fi
    victim=${found#*rank } victim=${victim%% *} hit[${found%% *}]=$((${hit[${found%% *}]} + 1))
    survivors_end "kill $k, $phase" $ranks "$victim"
    whole_checkpoints "$run" || fail "kill $k, $phase" "a checkpoint that is not whole"
    say "kill $k of $ranks ranks, aimed at $phase" "$found"
done
MPIRUN_OPTIONS=
say "kills in a checkpoint, a sum, an evaluation, a step" "${hit[checkpoint]} ${hit[exchange]} ${hit[evaluation]} ${hit[step]}; survivors ended within $took_longest s"
for phase in "${phases[@]}"; do
    [ "$aimed" -lt 6 ] || [ "${hit[$phase]}" -gt 0 ] || fail "aimed kills" "none was in the phase $phase"
done
cp -r "$work/aimed-2" "$work/aimed-3"
goes_on "aimed kills, resumed by 2 from 2" "$work/aimed-2" 2 2
goes_on "aimed kills, resumed by 4 from 4" "$work/aimed-4" 4 4
goes_on "aimed kills, resumed by 3 from 2" "$work/aimed-3" 3 2
exit $wrong
