"""Checks that a room includes only itself and the rooms it stands on, that the layers of a room include no higher ones,
that the command includes public headers and its own alone, and that each foreign library has its one place.

Usage: check_includes.py SOURCE_ROOT.
"""
import pathlib
import re
import sys

STANDS_ON = {
    "base": "",
    "comm": "base",
    "onnx": "base",
    "data": "base comm onnx",
    "problem": "base comm onnx data",
    "model": "base comm onnx data problem",
    "estimator": "base comm data problem",
    "predict": "base comm onnx data problem model estimator",
    "method": "base",
    "measure": "base comm data problem estimator",
    "monitor": "base measure",
    "run": "base comm data problem model estimator predict method measure",
    "report": "base run",
    "experiment": "base comm data problem estimator method measure run report",
    "cli": "base comm data problem model estimator predict method measure monitor run report experiment",
}
# Folders of a room from the lowest layer up. Files beside the folders stand under them all.
LAYERS = {"run": ["config", "training", "loop", "observer", "search"]}
# Header of a library: the files that may include it (a folder stands for one file in it).
PLACES = {
    r"mpi\.h": ["src/comm/mpi_comm.h"],
    r"cblas\.h": ["src/base/openblas.c"],
    r"oneapi/dnnl/.*|dnnl\.h": ["src/base/gemm.c", "src/model/"],
    r"lapacke?\.h": ["src/measure/", "src/base/"],
    r"onnx/onnx\.pb-c\.h": ["src/onnx/write.c"],
}
# Public headers that are a second one of their room.
HEADER_OF = {"search": "run", "options": "base"}


def room_of(path):
    return HEADER_OF.get(path.stem, path.stem) if path.parts[0] == "include" else path.parts[1]


def target_room(root, path, name):
    """The room that an include names, or None for a header that is not ours."""
    if name.startswith("glissade/"):
        return HEADER_OF.get(pathlib.PurePath(name).stem, pathlib.PurePath(name).stem)
    for base in (root / path.parent, root / "src"):
        file = (base / name).resolve()
        if file.exists() and (root / "src").resolve() in file.parents:
            return file.relative_to((root / "src").resolve()).parts[0]
    return None


def layer_of(parts):
    """Place of src/ROOM/LAYER/... in its room; -1 beside the layers, None in a room without any."""
    layers = LAYERS.get(parts[1]) if len(parts) > 2 and parts[0] == "src" else None
    return layers and (layers.index(parts[2]) if parts[2] in layers else -1)


def layer_fault(root, path, name):
    """What is wrong with an include between layers of one room, or None."""
    own = layer_of(path.parts)
    for base in (root / path.parent, root / "src"):
        file = (base / name).resolve()
        if own is None or not file.exists() or root.resolve() not in file.parents:
            continue
        parts = file.relative_to(root.resolve()).parts
        if parts[:2] == path.parts[:2] and layer_of(parts) > own:
            return f"{path.parts[2]} is below {parts[2]}"
        return None
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    bad = []
    users = {}
    files = sorted([*root.glob("src/*/**/*.[ch]"), *root.glob("include/glissade/*.h")])
    for file in files:
        path = file.relative_to(root)
        room = room_of(path)
        if room in ("glissade", "glissade64"):  # the headers that include all
            continue
        allowed = {room, "names64", *STANDS_ON.get(room, "").split()}
        if room not in STANDS_ON:
            bad.append(f"{path}: no room is called {room}")
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if not found:
                continue
            name = found.group(1)
            target = target_room(root, path, name)
            if room == "cli" and target not in (None, "cli") and not name.startswith("glissade/"):
                bad.append(f"{path}:{number}: the command includes public headers only: {name}")
            if target and target not in allowed:
                bad.append(f"{path}:{number}: {room} does not stand on {target}: {name}")
            fault = layer_fault(root, path, name)
            if fault:
                bad.append(f"{path}:{number}: {fault}: {name}")
            for header, places in PLACES.items():
                if re.fullmatch(header, name):
                    place = next((p for p in places if str(path) == p or p.endswith("/") and str(path).startswith(p)), None)
                    if place is None:
                        bad.append(f"{path}:{number}: only {' and '.join(places)} may include {name}")
                    users.setdefault((header, place), set()).add(str(path))
    for (header, place), paths in users.items():
        if len(paths) > 1:
            bad.append(f"{', '.join(sorted(paths))}: only one of them may include {header}")
    print("\n".join(bad))
    sys.exit(bool(bad))


main()
