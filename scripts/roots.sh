#!/bin/sh
# The README's two commands as its reader would run them, each in a bare root of a Debian release that has nothing but git and
# make: roots.sh [--packages | --arm64 | --wheel] [SUITE...]. With --packages: the Debian packages are built in one bare root and installed in a
# second one, which runs the demo and builds an example. With --arm64: a cross build for 64-bit ARM, without OpenBLAS, oneDNN and
# MPI, whose tests run under qemu's user emulation. With --wheel: the Python wheel of build/wheel/alone (make wheel) in a root
# with Python and no -dev package: its tests alone, then beside PyTorch, in one OpenMP runtime. Ends with `roots: N passed, N failed, N skipped`; a root that cannot be
# made here is skipped.
#   GLISSADE_ROOTS  where the roots are made (default: a new temporary folder); logs stay there, roots are removed
#   GLISSADE_ROOTS_TESTS  releases whose `make test` is run too (default: all); the others only run the demo
#   GLISSADE_ARM64_TESTS  a few tests of the cross build by their names, as base_gemm (default: all of its fast suite)
#   GLISSADE_WHEEL_TORCH  what pip installs beside the wheel (default: torch); empty: nothing
#   GLISSADE_MPI    mpich: install and build with MPICH in place of Open MPI
set -eu
what=commands
case ${1:-} in
--packages) what=packages; shift ;;
--arm64) what=arm64; shift ;;
--wheel) what=wheel; shift ;;
esac
suites=${*:-bookworm trixie}
here=$(cd "$(dirname "$0")/.." && pwd)
where=${GLISSADE_ROOTS:-$(mktemp -d "${TMPDIR:-/tmp}/glissade-roots-XXXXXX")}
mkdir -p "$where"
where=$(cd "$where" && pwd -P)
passed=0 failed=0 skipped=0

why_not() {
    [ "$(id -u)" -eq 0 ] || { echo "it needs root"; return; }
    for tool in debootstrap unshare; do
        command -v $tool >/dev/null || { echo "it needs $tool"; return; }
    done
    unshare -m true 2>/dev/null || echo "no mount namespace can be made"
}

# All mounts live in a namespace of their own and end with it; /dev is the root's own, never the host's.
enter() {
    root=$1
    shift
    unshare -m sh -c '
        root=$1
        shift
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mkdir -p "$root/dev/pts" "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        mount -t tmpfs tmpfs "$root/dev/shm"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            ${http_proxy:+http_proxy="$http_proxy"} ${GLISSADE_MPI:+GLISSADE_MPI="$GLISSADE_MPI"} sh -euc "$*"
    ' enter "$root" "$@" </dev/null
}

remove() {
    if grep -qF " $1/" /proc/self/mountinfo; then
        echo "roots: something is mounted below $1; it is left where it is" >&2
    else
        rm -rf --one-file-system "$1"
    fi
}

seconds_of() { # LABEL CMD...: runs CMD and says how long it took
    label=$1
    shift
    begin=$(date +%s)
    "$@" >>"$log" 2>&1 || return 1
    echo "   $label: $(($(date +%s) - begin)) s"
}

clone() { # ROOT: git, make and a clone in it
    root=$1
    if [ "${GLISSADE_MPI:-}" = mpich ]; then mpi="mpich libmpich-dev"; else mpi=""; fi
    enter "$root" "apt-get update -q; apt-get install -q -y --no-install-recommends git make $mpi" >>"$log" 2>&1 &&
        git clone -q --bare "$here" "$root/srv/glissade.git" >>"$log" 2>&1 &&
        enter "$root" "cd /root; git clone -q /srv/glissade.git; . /etc/os-release; echo \"== \$PRETTY_NAME\""
}

tests() {
    case " ${GLISSADE_ROOTS_TESTS-$suites} " in
    *" $suite "*)
        seconds_of "make test" enter "$1" "cd /root/glissade; make test" &&
            grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | sed 's/^/   /'
        ;;
    esac
}

commands() {
    root=$1
    clone "$root" &&
        seconds_of "make demo" enter "$root" "cd /root/glissade; make demo" &&
        tests "$root" &&
        enter "$root" "cd /root/glissade; make info; build/glissade version" | sed 's/^/   /'
}

packages() {
    bare=$1 clean=$1/srv/clean
    clone "$bare" &&
        seconds_of "make deb" enter "$bare" "cd /root/glissade; make deb" &&
        debootstrap --variant=minbase "$suite" "$clean" >>"$log" 2>&1 &&
        cp "$bare"/root/glissade/build/deb/*.deb "$clean/root" &&
        seconds_of "install" enter "$clean" "apt-get update -q; cd /root
            apt-get install -q -y --no-install-recommends ./glissade_*.deb ./libglissade0_*.deb" &&
        seconds_of "demo" enter "$clean" "cd /root; sh /usr/share/doc/glissade/examples/demo.sh /usr/bin" &&
        seconds_of "example" enter "$clean" "cd /root
            apt-get install -q -y --no-install-recommends ./libglissade-dev_*.deb gcc libc6-dev pkg-config
            cc /usr/share/doc/glissade/examples/own_loop.c -o loop \$(pkg-config --cflags --libs glissade64) -lm; ./loop" &&
        enter "$clean" "dpkg-query -W '*glissade*'; glissade version" | sed 's/^/   /'
}

# Libraries of both architectures lie side by side in one root, so that programs for ARM find theirs there.
cross_packages="crossbuild-essential-arm64 qemu-user-static pkg-config meson ninja-build python3 python3-yaml librandom123-dev
libc6-dev:arm64 libgomp1:arm64 liblapacke-dev:arm64 libyaml-dev:arm64 libjansson-dev:arm64 zlib1g-dev:arm64 liblzma-dev:arm64 libpng-dev:arm64
libxxhash-dev:arm64 libcsv-dev:arm64 libpcre2-dev:arm64 libunistring-dev:arm64 libcmocka-dev:arm64 libjpeg62-turbo-dev:arm64 libjs-chart.js"

arm64() {
    root=$1 programs="all meson-test-prereq"
    [ -z "${GLISSADE_ARM64_TESTS:-}" ] || programs="glissade $(echo " $GLISSADE_ARM64_TESTS" | sed 's| \([^ ]\)| tests/test_\1|g')"
    clone "$root" &&
        seconds_of "install" enter "$root" "dpkg --add-architecture arm64; apt-get update -q
            apt-get install -q -y --no-install-recommends $(echo $cross_packages)" &&
        seconds_of "cross build" enter "$root" "cd /root/glissade; meson setup build --cross-file scripts/arm64.ini \
            -Dopenblas=disabled -Ddnnl=disabled -Dmpi=disabled -Donnx=disabled -Ddefault_library=shared -Dbench=false \
            -Doptimization=2; ninja -C build $programs" &&
        enter "$root" "cd /root/glissade; file=build/glissade; od -An -tu2 -j18 -N2 \$file; qemu-aarch64-static \$file version" |
            sed 's/^/   /' &&
        seconds_of "tests" enter "$root" "cd /root/glissade; python3 scripts/test.py build fast ${GLISSADE_ARM64_TESTS:-}" &&
        grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | sed 's/^/   /'
}

# Fails where a -dev package has come along, or where a process that computes with both has two OpenMP runtimes.
wheel_alone="dpkg-query -W -f='\${Package}\n' | grep -e '-dev\$' && exit 1; true"
one_openmp='
import numpy, torch, glissade
torch.set_num_threads(2)
(torch.ones(500, 500) @ torch.ones(500, 500)).exp().sum()
glissade.method("sgd", 10**6, lr=0.1).step(numpy.ones(10**6, "f4"), numpy.ones(10**6, "f4"))
found = {line.split()[-1] for line in open("/proc/self/maps") if "libgomp" in line or "libiomp" in line or "/libomp" in line}
print("OpenMP runtime:", *found)
assert len(found) == 1, found
'

wheel() {
    root=$1 beside=${GLISSADE_WHEEL_TORCH-torch}
    ls "$here"/build/wheel/alone/glissade-*.whl >>"$log" || { echo "no wheel: make wheel" >>"$log"; return 1; }
    cp -r "$here"/build/wheel/alone/glissade-*.whl "$here/python/tests" "$here/python/examples" "$root/root"
    cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$root/root/certificates" 2>>"$log" || true
    pip="[ ! -e certificates ] || export PIP_CERT=/root/certificates; env/bin/python -m pip install -q"
    pass="env/bin/python -m pytest -q -rs -p no:cacheprovider tests"
    seconds_of "install" enter "$root" "apt-get update -q; apt-get install -q -y --no-install-recommends python3-venv libgomp1
        cd /root; python3 -m venv env; $pip ./glissade-*.whl pytest; $wheel_alone" &&
        seconds_of "tests alone" enter "$root" "cd /root; $pass" && tail -n 1 "$log" | sed 's/^/   /' || return 1
    [ -n "$beside" ] || return 0
    printf '%s' "$one_openmp" >"$root/root/one_openmp.py"
    seconds_of "install $beside" enter "$root" "cd /root; $pip $beside" &&
        enter "$root" "cd /root; env/bin/python one_openmp.py" | sed 's/^/   /' &&
        seconds_of "tests beside $beside" enter "$root" "cd /root; $pass" && tail -n 1 "$log" | sed 's/^/   /'
}

reason=$(why_not)
for suite in $suites; do
    log=$where/$suite.log
    : >"$log"
    if [ -n "$reason" ]; then
        echo "== $suite: skipped: $reason"
        skipped=$((skipped + 1))
    elif ! debootstrap --variant=minbase "$suite" "$where/$suite" >>"$log" 2>&1; then
        echo "== $suite: skipped: no bare root could be made (is there a network?): $(tail -n 1 "$log")"
        skipped=$((skipped + 1))
        remove "$where/$suite"
    elif $what "$where/$suite"; then
        passed=$((passed + 1))
        remove "$where/$suite"
    else
        echo "== $suite: failed; checks that did, and the log's end:" >&2
        awk '/^(not )?ok/ { on = /^not ok/ && !/# SKIP/ } on' "$log" >&2 || true
        tail -n 40 "$log" >&2
        failed=$((failed + 1))
        remove "$where/$suite"
    fi
done
echo "roots: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
