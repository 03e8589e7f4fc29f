/* `completion`: scripts for three shells, each of which asks `completion words` what may follow. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* bash cuts words at '=', so the line is split here, and what stands before the '=' is not given back. Keys and
 * sections go on behind them, so no space follows. */
static const char bash[] =
    "# bash completion of glissade: source <(glissade completion bash)\n"
    "_glissade() {\n"
    "    local -a words\n"
    "    local line=\"${COMP_LINE:0:COMP_POINT}\" last found\n"
    "    read -ra words <<<\"$line\"\n"
    "    [ -n \"$line\" ] && [ -z \"${line##*[[:space:]]}\" ] && words+=(\"\")\n"
    "    last=\"${words[${#words[@]}-1]}\"\n"
    "    local IFS=$'\\n'\n"
    "    found=($(\"${words[0]/#\\~/$HOME}\" completion words -- \"${words[@]:1}\" 2>/dev/null | cut -f1))\n"
    "    [ ${#found[@]} -eq 0 ] && found=($(compgen -f -- \"$last\"))\n"
    "    [[ \"$last\" == *=* ]] && found=(\"${found[@]#\"${last%%=*}=\"}\")\n"
    "    COMPREPLY=(\"${found[@]}\")\n"
    "    [[ ${#COMPREPLY[@]} -eq 1 && \"${COMPREPLY[0]}\" == *[.=] ]] && compopt -o nospace 2>/dev/null\n"
    "}\n"
    "complete -o filenames -F _glissade glissade glissade64\n";

static const char zsh[] =
    "#compdef glissade glissade64\n"
    "# zsh completion of glissade: source <(glissade completion zsh), or as _glissade in a folder of $fpath\n"
    "_glissade() {\n"
    "    local line\n"
    "    local -a open closed\n"
    "    for line in \"${(@f)$($words[1] completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        [[ -z $line ]] && continue\n"
    "        local word=${line%%$'\\t'*} help=${line#*$'\\t'}\n"
    "        if [[ $word == *[.=] ]]; then open+=(\"${word//:/\\\\:}:$help\")\n"
    "        else closed+=(\"${word//:/\\\\:}:$help\"); fi\n"
    "    done\n"
    "    if (( ${#open} + ${#closed} )); then\n"
    "        (( ${#closed} )) && _describe glissade closed\n"
    "        (( ${#open} )) && _describe glissade open -S ''\n"
    "    else _files; fi\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _glissade \"$@\"; else compdef _glissade glissade "
    "glissade64; fi\n";

static const char fish[] = "# fish completion of glissade: glissade completion fish | source\n"
                           "function __glissade_words\n"
                           "    set -l words (commandline -opc) (commandline -ct)\n"
                           "    $words[1] completion words -- $words[2..] 2>/dev/null\n"
                           "end\n"
                           "complete -c glissade -a '(__glissade_words)'\n"
                           "complete -c glissade64 -a '(__glissade_words)'\n";

static const struct { const char *shell, *script; } scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static int run(const cli_args *args) {
    const char *what = args->positionals ? args->positional[0] : "";
    if (strcmp(what, "words") == 0) return cli_complete(args->positional + 1, args->positionals - 1);
    for (size_t i = 0; args->positionals == 1 && i < sizeof scripts / sizeof *scripts; i++)
        if (strcmp(what, scripts[i].shell) == 0) return fputs(scripts[i].script, stdout) < 0 ? CLI_FAILED : CLI_DONE;
    return cli_bad("`completion` takes the name of a shell: bash, zsh or fish");
}

static const char *const words[] = {"bash", "zsh", "fish", NULL};
const cli_verb cli_completion = {
    .name = "completion",
    .synopsis = "completion bash | zsh | fish",
    .help = "print a script that completes commands, options, keys and names in a shell",
    .details = "To use it:\n"
               "  bash  source <(glissade completion bash)\n"
               "  zsh   source <(glissade completion zsh)\n"
               "  fish  glissade completion fish | source\n"
               "An installed Glissade brings the three scripts along.",
    .words = words,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
