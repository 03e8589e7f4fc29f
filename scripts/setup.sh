#!/bin/sh
# Installs the Debian packages that building and testing need: as root or with sudo; does nothing when all are there.
# --peers adds what benchmarks and comparisons measure against; --docs, --deb and --python what
# `make docs`, `make deb` and `make python` need.
set -eu

packages="gcc g++ make meson ninja-build pkg-config python3 libdnnl-dev libopenblas-openmp-dev liblapacke-dev
librandom123-dev libyaml-dev libjansson-dev zlib1g-dev liblzma-dev libpng-dev libxxhash-dev libcsv-dev libcmocka-dev
libjpeg62-turbo-dev libpcre2-dev libunistring-dev libjs-chart.js protobuf-c-compiler libprotobuf-c-dev libonnx-dev
python3-yaml"
docs="doxygen"
python="python3-venv python3-dev"
deb="build-essential debhelper dpkg-dev"
peers="python3-torch python3-numpy liblinear-tools chromium debootstrap cmake groff doxygen clang clang-format libclang-rt-dev libomp-dev valgrind"

has() {
    dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

# Whoever has MPICH keeps it; Open MPI otherwise.
has libmpich-dev && ! has libopenmpi-dev || packages="$packages libopenmpi-dev openmpi-bin"
case ${1:-} in
--peers) packages="$packages $peers" ;;
--docs) packages="$packages $docs" ;;
--python) packages="$packages $python" ;;
--deb) packages="$packages $deb" ;;
esac
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
