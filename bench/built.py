"""A benchmark's program, made from the sources as they are now: no default target builds it."""
import subprocess


def built(build, name):
    subprocess.run(["ninja", "-C", str(build), f"bench/bench_{name}"], check=True, stdout=subprocess.DEVNULL)
    return f"{build}/bench/bench_{name}"
