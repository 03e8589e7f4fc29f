"""Writes a C program that calls every public function with NULL in each of its pointer arguments, one after the other.

Usage: make_null_test.py OUT HEADER... Each call is made in a process of its own: it must come back, and a function with a
status must not say that all is well. All other arguments are there: a context, rooms of zeros, a short text, the number 1.
"""
import re
import sys

# Pointers that may be NULL by the comment of their function; that of a destroy function always may.
OPTIONAL = {
    "gls_context_create_checked": "options", "gls_resize": "block", "gls_free": "block", "gls_value_create": "key text",
    "gls_comm_exchange_create": "spec", "gls_comm_exchange_gather": "exchange", "gls_comm_exchange_arrays": "exchange",
    "gls_comm_exchange_restored": "exchange", "gls_monitor_create": "options",
    "gls_fail": "ctx", "gls_log": "ctx",
    "gls_arrays_add": "data", "gls_arrays_add_layout": "layout data", "gls_arrays_resizable": "owner",
    "gls_parallel": "user", "gls_nearest": "user", "gls_options_create": "table", "gls_options_apply": "map except",
    "gls_source_open": "path options except like", "gls_transforms_apply": "list fitted", "gls_transforms_apply_elsewhere": "list fitted",
    "gls_source_from_documents": "label", "gls_source_from_frames": "label frames", "gls_predictor_rows": "format",
    "gls_source_write": "options except", "gls_source_from_dense": "label y", "gls_source_from_tokens": "label",
    "gls_source_from_sparse": "label y column value", "gls_source_targets": "label y",
    "gls_source_indices": "mass", "gls_pass_create": "options", "gls_pass_hessian_vector": "mass",
    "gls_estimator_run_matrix": "spec out record",
    "gls_estimator_create": "spec", "gls_estimator_estimate": "g record", "gls_measure_create": "options except",
    "gls_method_step": "report", "gls_method_step_blocks": "report", "gls_method_tell": "report", "gls_average_create": "spec",
    "gls_schedule_create": "what spec", "gls_theory_values": "given", "gls_model_create": "options data",
    "gls_problem_create": "options data", "gls_problem_create_type": "options data", "gls_problem_commit": "state_next",
    "gls_ask_gradient": "weights", "gls_ask_norms": "partition", "gls_ask_inner": "partition",
    "gls_report_write": "options", "gls_config_parse": "name", "gls_run_saved_weights": "which step",
    "gls_suspects_read": "options", "gls_solve": "point figures", "gls_replay": "report",
}
# Drawing a number costs a few cycles, and a check of its argument would be one of them.
# gls_fail_null is what the checks themselves call.
HOT = {"gls_fail_null", "gls_random_block", "gls_random_u32", "gls_random_uniform", "gls_random_normal", "gls_random_below",
       "gls_random_create"}

HEAD = """/* Made by scripts/make_null_test.py from the public headers. */
#include <glissade/glissade.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static gls_context *ctx;
static _Alignas(64) unsigned char rooms[16][1 << 16];
static void *room(int i) { return rooms[i]; }

enum { FINE = 0, SAID_NOTHING = 3 };
"""
TAIL = """
int main(void) {
    int bad = 0, count = (int)(sizeof cases / sizeof *cases);
    gls_context_options options = {.size = sizeof options, .threads = 1};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    printf("1..%d\\n", count);
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            _exit(cases[i].call());
        }
        waitpid(child, &status, 0);
        int fine = WIFEXITED(status) && WEXITSTATUS(status) == FINE;
        const char *why = fine ? "" : WIFEXITED(status) && WEXITSTATUS(status) == SAID_NOTHING ? ": no error" : ": crashed";
        printf("%sok %d - %s%s\\n", fine ? "" : "not ", i + 1, cases[i].name, why);
        bad += !fine;
    }
    gls_context_destroy(ctx);
    return bad != 0;
}
"""


def split(text):
    parts, depth, part = [], 0, ""
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    return [*parts, part.strip()]


def name_of(parameter):
    function = re.search(r"\(\*(\w+)\)", parameter)
    return function.group(1) if function else re.findall(r"\w+", re.sub(r"\[.*\]", "", parameter))[-1]


def is_pointer(parameter, functions):
    return "*" in parameter or "[" in parameter or parameter.split()[0] in functions


def argument(parameter, i, structs, functions):
    if re.match(r"(const )?gls_context \*\w+$", parameter):
        return "ctx"
    if re.match(r"const char \*\w+$", parameter):
        return '"x"'
    if is_pointer(parameter, functions):
        return f"room({i})"
    kind = parameter.replace("const ", "").split()[0]
    return f"({kind}){{0}}" if kind in structs else "1"


def prototypes(text):
    for match in re.finditer(r"GLS_API\s+([^;]*?)\s*;", text):
        line = re.sub(r"\)\s*GLS_PRINTF\(.*$", ")", re.sub(r"\s+", " ", match.group(1)))
        found = re.match(r"(.*?[ *])(gls_\w+)\((.*)\)$", line)
        if found:
            yield found.group(1).strip(), found.group(2), split(found.group(3))


def main():
    out, *headers = sys.argv[1:]
    text = "\n".join(open(header).read() for header in headers)
    structs = set(re.findall(r"^\}\s*(gls_\w+);", text, re.M)) - set(re.findall(r"typedef enum (gls_\w+)", text))
    functions = set(re.findall(r"^typedef [\w ]+\*?\(\*(gls_\w+)\)", text, re.M)) | set(re.findall(r"^typedef \w+ \(\*(\w+)\)", text, re.M))
    calls, rows = [], []
    for kind, name, parameters in prototypes(text):
        if name in HOT:
            continue
        optional = OPTIONAL.get(name, "").split()
        for at, parameter in enumerate(parameters):
            if parameter == "..." or not is_pointer(parameter, functions) or name_of(parameter) in optional:
                continue
            given = ["NULL" if i == at else argument(p, i, structs, functions) for i, p in enumerate(parameters) if p != "..."]
            call = f"{name}({', '.join(given)})"
            says = kind == "gls_status" and not name.startswith("gls_fail")
            body = f"return {call} == GLS_OK ? SAID_NOTHING : FINE;" if says else f"(void){call}; return FINE;"
            calls.append(f"static int call{len(calls)}(void) {{ {body} }}\n")
            rows.append(f'    {{"{name}: {name_of(parameter)}", call{len(rows)}}},\n')
    with open(out, "w") as file:
        file.write(HEAD + "".join(calls) + "static const struct { const char *name; int (*call)(void); } cases[] = {\n")
        file.write("".join(rows) + "};\n" + TAIL)


main()
