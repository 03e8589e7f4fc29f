"""Installs the built library into a temporary prefix and compiles and runs every example through pkg-config.

Usage: test_examples.py SOURCE_ROOT BUILD. Prints TAP.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

root, build = map(pathlib.Path, sys.argv[1:3])
cases = [("own_objective.c", "cc", "glissade"), ("own_objective.c", "cc", "glissade64"),
         ("own_loop.c", "cc", "glissade"), ("own_loop.c", "c++", "glissade"), ("own_loop.c", "cc", "glissade64")]


def near(name, out):
    words = dict(zip(out.split()[::2], out.split()[1::2]))
    want = {"own_objective": {"a": 2.0, "b": 1.5, "c": 0.5}, "own_loop": {"x": 1.0, "y": 1.0}}[name]
    return all(abs(float(words[key]) - value) < 0.06 for key, value in want.items())


print(f"1..{len(cases)}")
with tempfile.TemporaryDirectory() as temporary:
    stage = pathlib.Path(temporary)
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir", str(stage)], check=True,
                   stdout=subprocess.DEVNULL)
    pc = next(stage.rglob("glissade.pc")).parent
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc), PKG_CONFIG_SYSROOT_DIR=str(stage))
    for number, (source, compiler, package) in enumerate(cases, 1):
        exe = stage / "example"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", package], env=env, check=True, capture_output=True,
                               text=True).stdout.split()
        language = ["-std=c++17", "-x", "c++"] if compiler == "c++" else ["-std=c17", "-x", "c"]
        libdir = next(stage.rglob("libglissade.so")).parent
        compiled = subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", *language, str(root / "examples" / source), "-x",
                                   "none", "-o", str(exe), *flags, f"-Wl,-rpath,{libdir}", "-lm"], capture_output=True, text=True)
        run = subprocess.run([str(exe)], capture_output=True, text=True) if compiled.returncode == 0 else compiled
        good = compiled.returncode == 0 and run.returncode == 0 and near(source[:-2], run.stdout)
        print(f"{'ok' if good else 'not ok'} {number} - {source} with {compiler} and {package}")
        if not good:
            print("# " + (run.stdout + run.stderr).replace("\n", "\n# "))
