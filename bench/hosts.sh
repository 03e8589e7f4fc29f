#!/bin/bash
# Steps a second by exchange on several hosts of bench/netns.sh, beside what `glissade scale` predicts there, and beside
# PyTorch's DistributedDataParallel over gloo. Needs root, iproute2 and Open MPI; leaves nothing behind.
# Usage: [MODEL=...] [ROWS=64] [EXCHANGES="dense;quant"] [LR=0.05] [PREDICT=no] [TORCH_PYTHON=python] [CURVES=FOLDER]
#        hosts.sh GLISSADE [HOSTS] [MBIT] [STEPS]
# Prints exchange, bytes a step and host, milliseconds a step (median), predicted ones, training loss at the end, seconds to
# the loss TARGET (of the last steps' mini-batches) where that is given. EXCHANGES are values of train.exchange; CURVES keeps
# loss against seconds.
set -e
here=$(dirname "$(realpath "$0")")
glissade=$(realpath "$1") hosts=${2:-2} mbit=${3:-100} steps=${4:-20} rows=${ROWS:-64} lr=${LR:-0.05}
work=$(mktemp -d)
. "$here/netns.sh"
trap 'hosts_leave; rm -rf "$work"' EXIT
hosts_make

# Networks as PyTorch's script has them: mlp, wide (784-1024-1024-10).
model=${MODEL:-mlp}
case $model in
mlp) hidden='[512, 512]' ;;
wide) hidden='[1024, 1024]' ;;
*) hidden= ;;
esac
data='{format: gaussians, train_size: 4000, test_size: 100, features: 784, classes: 10, separation: 4}'
[ "$hidden" ] || data='{format: glyphs, train_size: 4000, test_size: 100}'
settings=(--set "data=$data"
    --set "model=$([ "$hidden" ] && echo "{name: mlp, hidden: $hidden}" || echo "$model")"
    --set "method={name: msgd, lr: $lr, beta: 0.9}")
train="steps: $steps, epochs: 0, batch: $((rows * hosts)), threads: 1, checkpoint_every: 0, validate_every: 0, final_train: 500, log_every: 1s"
if [ "$PREDICT" != no ]; then
    on_hosts "$hosts" "$glissade" scale "${settings[@]}" --set "train={$train}" --quiet --json >"$work/scale.json"
    [ -z "$CURVES" ] || cp "$work/scale.json" "$CURVES/scale.json"
fi
IFS=';' read -ra exchanges <<<"${EXCHANGES:-dense;bf16;quant;topk}"
for exchange in "${exchanges[@]}"; do
    on_hosts "$hosts" "$glissade" train "${settings[@]}" --set "train={$train, exchange: $exchange}" --out "$work/run" --quiet
    python3 "$here/hosts_table.py" "$work" "$exchange" "$hosts" "$TARGET" "$CURVES"
    rm -rf "$work/run"
done
[ "$TORCH_PYTHON" ] || exit 0

# The same examples, in the order of the file.
"$glissade" data make gaussians --set train_size=4000 --set features=784 --set classes=10 --set separation=4 --out "$work/rows.svm" >/dev/null
for i in $(seq "$hosts"); do echo "10.77.0.$i host$i"; done >"$work/names" # there is nobody to ask for names
for hook in ${HOOKS:-none bf16 powersgd}; do
    for i in $(seq "$hosts"); do
        ip netns exec "$(host "$i")" unshare --mount bash -c 'mount --bind "$1" /etc/hosts; shift; exec "$@"' host \
            "$work/names" env MASTER_ADDR=10.77.0.1 MASTER_PORT=29500 RANK=$((i - 1)) WORLD_SIZE="$hosts" \
            GLOO_SOCKET_IFNAME=eth0 OMP_NUM_THREADS=1 "$TORCH_PYTHON" "$here/hosts_torch.py" "$work/rows.svm" "$hook" \
            "$([ "$model" = wide ] && echo 1024 || echo 512)" "$rows" "$steps" "$lr" "$TARGET" "$CURVES" &
        pids[i]=$!
    done
    for i in $(seq "$hosts"); do wait "${pids[i]}"; done
done
