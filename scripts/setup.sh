#!/bin/sh
# Installs the Debian packages that building and testing need: as root or with sudo; does nothing when all are there.
# --peers adds what benchmarks and comparisons measure against.
set -eu

packages="gcc g++ make meson ninja-build pkg-config python3 libdnnl-dev libopenblas-openmp-dev liblapacke-dev
librandom123-dev libyaml-dev libjansson-dev zlib1g-dev liblzma-dev libpng-dev libxxhash-dev libcmocka-dev
libjs-chart.js python3-yaml"
peers="python3-torch python3-numpy liblinear-tools chromium debootstrap clang clang-format libclang-rt-dev libomp-dev valgrind"

has() {
    dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

# Whoever has MPICH keeps it; Open MPI otherwise.
has libmpich-dev && ! has libopenmpi-dev || packages="$packages libopenmpi-dev openmpi-bin"
[ "${1:-}" = "--peers" ] && packages="$packages $peers"
missing=""
for package in $packages; do
    has "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null; then
    as_root="sudo"
else
    echo "setup: these packages are missing, and neither root nor sudo is at hand:$missing" >&2
    exit 1
fi
echo "setup: installing$missing" >&2
$as_root apt-get update -q >/dev/null
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends $missing >/dev/null
