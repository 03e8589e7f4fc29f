#!/bin/bash
# Steps a second by exchange on several hosts: network namespaces of this machine, joined by a bridge, each sending at a
# shaped rate; beside what `glissade scale` predicts there. Needs root, iproute2 and Open MPI; leaves nothing behind.
# Usage: [MODEL=...] [EXCHANGES=...] hosts.sh GLISSADE [HOSTS] [MBIT] [STEPS]
# Prints exchange, bytes a step and host, steps a second, predicted ones, training loss at the end.
set -e
glissade=$(realpath "$1") hosts=${2:-2} mbit=${3:-100} steps=${4:-20}
work=$(mktemp -d)
name() { echo "glhost$$-$1"; }
leave() {
    for i in $(seq "$hosts"); do ip netns del "$(name "$i")" 2>/dev/null || true; done
    ip link del "glbr$$" 2>/dev/null || true
    rm -rf "$work"
}
trap leave EXIT

ip link add "glbr$$" type bridge
ip link set "glbr$$" up
for i in $(seq "$hosts"); do
    ip netns add "$(name "$i")"
    ip link add "glv$$-$i" type veth peer name eth0 netns "$(name "$i")"
    ip link set "glv$$-$i" master "glbr$$" up
    ip -n "$(name "$i")" address add "10.77.0.$i/24" dev eth0
    ip -n "$(name "$i")" link set lo up
    ip -n "$(name "$i")" link set eth0 up
    ip netns exec "$(name "$i")" tc qdisc add dev eth0 root tbf rate "${mbit}mbit" burst 64kb latency 50ms
done

# What takes the place of ssh: the host's address, then a command.
cat >"$work/agent" <<AGENT
#!/bin/bash
host=\${1##*.}; shift
exec ip netns exec "glhost$$-\$host" unshare --uts bash -c "hostname host\$host; \$*"
AGENT
chmod +x "$work/agent"
list=$(for i in $(seq "$hosts"); do printf '10.77.0.%s:1,' "$i"; done)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive
on_hosts() {
    ip netns exec "$(name 1)" unshare --uts bash -c 'hostname host1; exec "$@"' mpirun mpirun --host "${list%,}" -n "$hosts" \
        --mca plm_rsh_agent "$work/agent" --mca btl tcp,self --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
        --mca pml ob1 "$glissade" "$@"
}

model=${MODEL:-mlp}
[ "$model" != mlp ] || model='{name: mlp, hidden: [512, 512]}'
settings=(--set 'data={format: gaussians, train_size: 4000, test_size: 100, features: 784, classes: 10}'
    --set "model=$model" --set 'method={name: msgd, lr: 0.05}')
train="steps: $steps, epochs: 0, batch: 128, threads: 1, checkpoint_every: 0, validate_every: 0, final_train: 500, log_every: 1s"
on_hosts scale "${settings[@]}" --set "train={$train}" --quiet --json >"$work/scale.json"
for exchange in ${EXCHANGES:-dense bf16 quant topk}; do
    on_hosts train "${settings[@]}" --set "train={$train, exchange: $exchange}" --out "$work/$exchange" --quiet
    python3 - "$work" "$exchange" "$hosts" <<'PYTHON'
import json
import sys

work, exchange, hosts = sys.argv[1], sys.argv[2], int(sys.argv[3])
times = {}
for line in open(f"{work}/{exchange}/metrics.jsonl"):
    entry = json.loads(line)
    times.setdefault(entry["step"], entry["time"])
steps = sorted(times)
apart = sorted(times[b] - times[a] for a, b in zip(steps, steps[1:]))
result = json.load(open(f"{work}/{exchange}/result.json"))
predicted = [way for way in json.load(open(f"{work}/scale.json"))["exchanges"] if way["exchange"] == exchange][0]
row = [row for row in predicted["rows"] if row["ranks"] == hosts][0]
print(f"{exchange:8} {result['bytes_a_step']:12.0f} {1 / apart[len(apart) // 2]:8.2f} {1 / row['step_seconds']:8.2f} {result['train_loss']:10.5f}", flush=True)
PYTHON
done
