"""Installs the built library into a temporary prefix, looks at what lies there, and compiles and runs the examples against it
in every way that a user has: pkg-config with the shared and the static library, and CMake.

Usage: test_examples.py SOURCE_ROOT BUILD. Prints TAP.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

root, build = map(pathlib.Path, sys.argv[1:3])
C, CPP = ["cc", "-std=c17", "-x", "c"], ["c++", "-std=c++17", "-pedantic", "-x", "c++"]
number = 0


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)


def tell(good, what, *outputs, skip=""):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {what}{' # SKIP ' + skip if skip else ''}")
    for output in outputs if not good else []:
        print("# " + (output.stdout + output.stderr).replace("\n", "\n# "))


def near(name, out):
    words = dict(zip(out.split()[::2], out.split()[1::2]))
    want = {"own_objective": {"a": 2.0, "b": 1.5, "c": 0.5}, "own_loop": {"x": 1.0, "y": 1.0},
            "own_clipping": {"x": 1.010, "y": 1.010}}[name]
    return all(abs(float(words[key]) - value) < 0.06 for key, value in want.items())


class Stage:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir", folder], check=True,
                       stdout=subprocess.DEVNULL)
        self.pc = next(self.folder.rglob("glissade.pc")).parent
        self.lib = self.pc.parent
        self.prefix = next(self.folder.rglob("include/glissade")).parent.parent
        self.env = dict(os.environ, PKG_CONFIG_PATH=str(self.pc), PKG_CONFIG_SYSROOT_DIR=folder)

    def by_pkg_config(self, source, compiler, package, static):
        """The static library is named by its file: the linker would take the shared one beside it."""
        words = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []), package, env=self.env).stdout.split()
        # Inside the stage, what lies outside of it is not below its root.
        words = [word.replace(str(self.folder) + "/usr/lib", "/usr/lib") if not (self.folder / "usr/lib").exists() else word
                 for word in words]
        if static:
            words = [str(self.lib / f"lib{package}.a") if word == "-l" + package else word for word in words]
        command, *language = compiler
        exe = self.folder / "example"
        compiled = run(command, "-Wall", "-Wextra", "-Werror", *language, root / "examples" / source, "-x", "none", "-o", exe,
                       *words, f"-Wl,-rpath,{self.lib}", "-lm")
        ran = run(exe) if compiled.returncode == 0 else compiled
        linked = "libglissade" in run("ldd", exe).stdout if compiled.returncode == 0 else None
        tell(ran.returncode == 0 and near(source[:-2], ran.stdout) and linked != static,
             f"{source} with {command}, {package}{', static' if static else ''}", compiled, ran)

    def by_cmake(self, static):
        if not shutil.which("cmake"):
            tell(True, "find_package(Glissade)", skip="no CMake")
            return
        project = self.folder / ("cmake-static" if static else "cmake")
        project.mkdir()
        suffix = "_static" if static else ""
        (project / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.18)
project(example C CXX)
find_package(Glissade 0.1 REQUIRED)
add_executable(single {root}/examples/own_loop.c)
target_link_libraries(single Glissade::glissade{suffix} m)
add_executable(double {root}/examples/own_loop.c)
target_link_libraries(double Glissade::glissade64{suffix} m)
""")
        steps = [run("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}"),
                 run("cmake", "--build", project / "build"), run(project / "build/single"), run(project / "build/double")]
        tell(all(step.returncode == 0 for step in steps) and all(near("own_loop", step.stdout) for step in steps[2:]),
             f"find_package(Glissade){', static' if static else ''}", *steps)
        refused = run("cmake", "-S", project, "-B", project / "build", "-DCMAKE_PREFIX_PATH=/nowhere",
                      "-DGlissade_DIR=/nowhere")
        tell(refused.returncode != 0, "find_package(Glissade) fails without it", refused)

    def has(self, *patterns):
        for pattern in patterns:
            found = [path for path in self.prefix.glob(pattern) if path.stat().st_size]
            tell(bool(found), f"{pattern} is installed", run("find", self.prefix))


with tempfile.TemporaryDirectory() as temporary:
    stage = Stage(temporary)
    static = (stage.lib / "libglissade.a").exists()
    for kind in [False, True] if static else [False]:
        stage.by_pkg_config("own_objective.c", C, "glissade", kind)
        stage.by_pkg_config("own_objective.c", C, "glissade64", kind)
        stage.by_pkg_config("own_loop.c", C, "glissade", kind)
        stage.by_pkg_config("own_loop.c", CPP, "glissade", kind)
        stage.by_pkg_config("own_loop.c", C, "glissade64", kind)
        stage.by_pkg_config("own_clipping.c", C, "glissade", kind)
        stage.by_pkg_config("own_clipping.c", CPP, "glissade64", kind)
        stage.by_pkg_config("own_loop.c", CPP, "glissade64", kind)
        stage.by_cmake(kind)
    stage.has("bin/glissade", "bin/glissade64", "share/man/man1/glissade.1", "share/man/man1/glissade-train.1",
              "share/bash-completion/completions/glissade", "share/zsh/site-functions/_glissade",
              "share/fish/vendor_completions.d/glissade.fish", "share/doc/glissade/LICENSE", "share/doc/glissade/docs/data.md")
    print(f"1..{number}")
