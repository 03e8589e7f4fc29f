"""Installs what the command makes of its own tables: manual pages, and completions for three shells.

Usage: install_pages.py GLISSADE MANDIR DATADIR, run by `meson install`.
"""
import os
import pathlib
import subprocess
import sys

glissade, mandir, datadir = sys.argv[1:]
glissade = pathlib.Path(os.environ["MESON_BUILD_ROOT"], glissade)
prefix = pathlib.Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"])


def said(*words):
    return subprocess.run([glissade, *words], check=True, capture_output=True, text=True).stdout


def write(path, text):
    path = prefix / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if "MESON_INSTALL_QUIET" not in os.environ:
        print(f"Installing {path}")


verbs = [line.partition("\t")[0] for line in said("completion", "words", "--", "").splitlines()]
man = pathlib.Path(mandir, "man1")
write(man / "glissade.1", said("help", "--man"))
write(man / "glissade64.1", ".so man1/glissade.1\n")
for verb in verbs:
    write(man / f"glissade-{verb}.1", said("help", "--man", verb))
data = pathlib.Path(datadir)
write(data / "bash-completion/completions/glissade", said("completion", "bash"))
write(data / "bash-completion/completions/glissade64", said("completion", "bash"))
write(data / "zsh/site-functions/_glissade", said("completion", "zsh"))
write(data / "fish/vendor_completions.d/glissade.fish", said("completion", "fish"))
