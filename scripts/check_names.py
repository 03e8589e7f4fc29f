"""Checks that a name says its room and stands for one thing: the first word of gls_WORD_... belongs to one room, no type
is defined in two files, no type of one C file begins with gls_, what a room's header declares that room defines.

Also: no header has the name of one of the C library's, or the include guard of another.

Usage: check_names.py SOURCE_ROOT.
"""
import pathlib
import re
import sys

# The words that a name of the room may begin with. gls_register_WORD belongs to the room of WORD.
WORDS = {
    "base": """add align64 alloc allocator arena array arrays axpy bf16 blas block combine compare context count dgemm distance
        dot draw dtype fail file fill flush free gemm interrupt interrupted ints kind largest law layout least length lengths
        list lock log make matrix member name nearest note notice omp operand option options parallel parts printout processors random read
        reader real reals record registry resize scale seconds side sort sprintf status strdup sum task team tensors text texts value
        values worker write writer yaml""",
    "comm": "comm reduce",
    "data": """batch bound bytes classes column csv data delimited dense description documents fetch fitted format frame gather images
        learned loader npy owned part picture rank rows sampler scan source sparse stored stream target token tokenizer transform transforms
        vocabulary wrapper zip""",
    "problem": """analytic ask constants coupling evaluate evaluation function generic glm link mode objective oracle output
        partition piecewise point precision prediction problem product sequence sink span want""",
    "onnx": "onnx",
    "model": """activation bias channel conv ctc dnnl elementary elementwise exec export extent factors family form graph init layer loss
        memory model network node norm op parameter room storage tile use view window""",
    "estimator": """cut estimate estimator group lane ledger making microbatch nonfinite pass place shapes slice sorted stage
        way workspace""",
    "predict": "predictor score scored scores trained",
    "method": """answer average certificate clock method move projection query range rule schedule step theorem theory
        update""",
    "measure": """alpha conflict diversity figure hull interval lanczos measure moments noise pair pattern sample series spectrum stat
        suspicion tail""",
    "monitor": "monitor",
    "run": """advice pace advise advisor batches budget cadence candidate changes checkpoint checkpoints config counter counters domain entrant
        events exchange figures finished folder inputs lines measured members named observe observer observers order pieces preset
        probe prober progress replay run scaling solution solve stepper stop stretch survey suspect suspects sweep trace training trial
        validation verdict verify why""",
    "report": "asset report",
    "experiment": "experiment experiments",
    "cli": "",  # its names begin with cli_
}
# Public names that keep another room's word, and the room whose header has them.
PUBLIC_GUESTS = {
    "gls_format_guess": "run",
    "gls_format_guessed": "run",
    "gls_format_to_write": "run",
    "gls_kind_name": "run",
    "gls_problem_view": "model",
    "gls_source_indices": "problem",
}
# Headers whose names are as private as those of the C files that share them.
PARTS = {"src/model/dnnl_api.h"}
# Public headers that are a second one of their room.
HEADER_OF = {"search": "run", "options": "base"}
LIBC = """assert complex ctype errno fcntl fenv float inttypes iso646 limits locale malloc math memory poll pthread sched
    setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads
    time uchar unistd values wait wchar wctype""".split()


def room_of(path):
    return HEADER_OF.get(path.stem, path.stem) if path.parts[0] == "include" else path.parts[1]


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_of(text):
    """The text without comments, contents of strings, directives and `extern "C"`; lines stay where they are."""
    text = re.sub(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", blank, text, flags=re.S)
    text = re.sub(r"\bextern\s*\{", blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def statements(code):
    """(line, statement) of each declaration at file scope; what stands in braces is left out."""
    depth, line, first, out = 0, 1, None, ""
    for token in re.findall(r"[{};\n]|[^{};\n]+", code):
        if token == "\n":
            line += 1
        elif first is None and not token.isspace() and (depth or token != "}"):
            first = line
        if token == "{":
            out += "{" if depth == 0 else ""
            depth += 1
        elif token == "}" and depth:
            depth -= 1
            out += "}" if depth == 0 else ""
        elif depth == 0 and token != "}":
            out += " " if token == "\n" else token
        body = token == "}" and depth == 0 and re.search(r"\)\s*\{\}$", out) and "=" not in out
        if depth == 0 and (token == ";" or body):
            yield first, re.sub(r"\s+", " ", out).strip()
            first, out = None, ""


def names_of(statement):
    """(what, name) of each thing that a statement names: tag, type, forward, function, body (of a function), object."""
    for tag in re.findall(r"\b(?:struct|union|enum) (\w+) ?\{", statement):
        yield "tag", tag
    if re.fullmatch(r"typedef (?:struct|union|enum) (\w+) \1 ?;", statement):
        yield "forward", re.findall(r"\w+", statement)[-1]
    elif statement.startswith("typedef"):
        found = (re.search(r"\(\*(\w+)\)", statement) or re.search(r"(\w+) ?\([^()]*\) ?;$", statement)
                 or re.search(r"(\w+)(?:\[[^\]]*\])* ?;$", statement))
        if found:
            yield "type", found.group(1)
    elif not re.match(r"(?:struct|union|enum)\b[^(]*\{\} ?;$|(?:struct|union|enum) \w+ ?;$", statement):
        head = re.sub(r"\b(?:GLS_\w+|__attribute__) ?\(\(?[^()]*\)?\)", "", statement.split("=")[0])
        function = re.search(r"(\w+) ?\(", head)
        found = function or re.search(r"(\w+)(?: ?\[[^\]]*\])* ?[;{}]*$", head.strip())
        if found and (function or "static" not in head):
            what = "function" if function and statement.endswith(";") else "body" if function else "object"
            yield ("private" if "static" in head else what), found.group(1)


def word_fault(path, name, owner):
    """What is wrong with the first word of a name declared in this file, or None."""
    room = room_of(path)
    if room == "cli":
        return None if re.match(r"cli_|main$", name) else "names of the command begin with cli_"
    found = re.fullmatch(r"gls_(?:register_)?([a-z0-9]+)\w*", name)
    if not found:
        return "a name that other files see begins with gls_"
    word = found.group(1)
    if owner.get(word) == room or PUBLIC_GUESTS.get(name) == room:
        return None
    theirs = f"is {owner[word]}'s" if word in owner else "is no room's"
    return f"the word '{word}' {theirs}; {room} has: {' '.join(WORDS.get(room, '').split())}"


def main():
    root = pathlib.Path(sys.argv[1])
    bad, owner, guards = [], {}, {}
    defined = {}  # tag or type: where it is defined, a file once
    declared = {}  # function or object: the file that declares it
    bodies = []
    for room, words in WORDS.items():
        for word in words.split():
            if word in owner:
                bad.append(f"{sys.argv[0]}: the word '{word}' is both {owner[word]}'s and {room}'s")
            owner[word] = room
    for file in sorted([*root.glob("src/*/**/*.[ch]"), *root.glob("include/glissade/*.h")]):
        path, text = file.relative_to(root), file.read_text()
        header = path.suffix == ".h" and str(path) not in PARTS
        if path.suffix == ".h":
            if path.stem in LIBC:
                bad.append(f"{path}: the C library has a header {path.name}")
            guard = re.search(r"^#ifndef (\w+)\n#define \1$", text, flags=re.M)
            if guard and guards.setdefault(guard.group(1), path) != path:
                bad.append(f"{path}: {guards[guard.group(1)]} has the guard {guard.group(1)} too")
        for line, statement in statements(code_of(text)):
            for what, name in names_of(statement):
                here = (path, line, name)
                if what in ("tag", "type"):
                    defined.setdefault((what, name), {}).setdefault(path, here)
                if what == "forward" and header:
                    defined.setdefault((what, name), {})[path] = here
                if header and what != "forward" or what in ("function", "object", "body") and name.startswith("gls_"):
                    fault = word_fault(path, name, owner)
                    if fault:
                        bad.append(f"{path}:{line}: {name}: {fault}")
                if header and what in ("function", "object"):
                    declared.setdefault(name, path)
                if not header and what in ("object", "body"):
                    bodies.append(here)
    for (what, name), places in defined.items():
        seen = list(places.values())
        if what == "forward" or not name.startswith("gls_"):
            continue
        for path, line, _ in seen[1:]:
            bad.append(f"{path}:{line}: {name}: {seen[0][0]}:{seen[0][1]} defines another; one name, one thing")
        shown = ("forward", name) in defined or any(p.suffix == ".h" for p in places)
        if not shown:
            bad.append(f"{seen[0][0]}:{seen[0][1]}: {name}: a type of one file does not begin with gls_")
        if name in declared:
            bad.append(f"{seen[0][0]}:{seen[0][1]}: {name}: {declared[name]} declares a function or object of this name")
    for path, line, name in bodies:
        if name in declared and room_of(declared[name]) != room_of(path):
            bad.append(f"{path}:{line}: {name}: {declared[name]} declares it; the room {room_of(declared[name])} defines it")
    print("\n".join(dict.fromkeys(bad)))
    sys.exit(bool(bad))


main()
