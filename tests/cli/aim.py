"""Kills a rank of a run on several hosts in the phase that is asked for, and says in which it was found: a checkpoint is
being written while its temporary file is there; a sum travels while its host is sending; an evaluation goes on when the
sum of a step that has one has been sent, and nothing is sent any more.

Usage: aim.py checkpoint|exchange|evaluation RUN SEED PID...
RUN writes a checkpoint after every step, and evaluates after every fifth. PID: its ranks, each on a host of its own.
Prints one line: phase found, rank, what was seen. Exit code 1 if the phase did not come within two minutes.
"""
import ctypes
import os
import random
import re
import select
import signal
import struct
import sys
import time

CREATED, MOVED_HERE = 0x100, 0x80
EVALUATED = 5  # steps from one evaluation to the next
SENT = 0.85  # of a step's bytes: the rest is lost in the moment at which a checkpoint is noticed


class Folder:
    """Files that appear in a folder: names as they come."""

    def __init__(self, path):
        self.path = path
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, os.fsencode(path), CREATED | MOVED_HERE) < 0:
            raise OSError(ctypes.get_errno(), path)
        self.waiting = []

    def next(self, seconds):
        if not self.waiting and select.select([self.fd], [], [], seconds)[0]:
            data, at = os.read(self.fd, 1 << 16), 0
            while at < len(data):
                _, mask, _, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16:at + 16 + length].split(b"\0")[0].decode()
                self.waiting.append((mask & CREATED, name))
                at += 16 + length
        return self.waiting.pop(0) if self.waiting else (0, "")

    def temporary(self):
        return [name for name in os.listdir(self.path) if name.startswith(".") and ".tmp" in name]


def sent(pid):
    with open(f"/proc/{pid}/net/dev", encoding="ascii") as lines:
        return next(int(line.split(":")[1].split()[8]) for line in lines if "eth0" in line)


def flows(pid):
    """Whether its host is sending: more than a few messages without a body."""
    before = sent(pid)
    time.sleep(0.004)
    return sent(pid) - before > 4000


def rank_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return int(re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", file.read()).group(1))


def wait_for_step(folder, end, wanted):
    """Until a checkpoint has come whose step is wanted; its number."""
    while time.monotonic() < end:
        created, name = folder.next(0.5)
        step = re.fullmatch(r"step-(\d+)\.safetensors", name)
        if not created and step and wanted(int(step.group(1))):
            return int(step.group(1))
    sys.exit("the phase did not come")


def bytes_of_step(folder, pid, end):
    """That a host sends between two checkpoints without an evaluation."""
    while True:
        first = wait_for_step(folder, end, lambda step: step % EVALUATED not in (EVALUATED - 1, 0))
        before = sent(pid)
        if wait_for_step(folder, end, lambda step: True) == first + 1:
            return sent(pid) - before


def aim(phase, folder, pid, draw, end):
    """Waits until it is time; bytes of a step, and those sent when the last checkpoint was there, and its step."""
    full = bytes_of_step(folder, pid, end)
    if phase == "checkpoint":
        step = wait_for_step(folder, end, lambda step: True)
        before = sent(pid)
        while time.monotonic() < end and not (folder.next(0.5)[0]):
            pass
        time.sleep(draw.uniform(0, 0.001))
        return full, before, step
    after = EVALUATED - 1 if phase == "evaluation" else None
    step = wait_for_step(folder, end, lambda step: after is None or step % EVALUATED == after)
    before = sent(pid)
    share = draw.uniform(0.1, 0.8) if phase == "exchange" else SENT
    while time.monotonic() < end and (sent(pid) - before < share * full or (phase == "evaluation" and flows(pid))):
        time.sleep(0.001)
    if phase == "evaluation":
        time.sleep(draw.uniform(0, 0.05))
    return full, before, step


def seen(phase, folder, pid, full, before, step):
    """The phase in which the run is now, and what says so."""
    writing = folder.temporary()
    if writing:
        return "checkpoint", writing[0]
    if phase == "checkpoint":
        return "step", "no file is being written"
    flowing, gone = flows(pid), sent(pid) - before
    said = f"{gone} of {full} bytes sent"
    if flowing:
        return "exchange", said
    done = gone >= SENT * full and step % EVALUATED == EVALUATED - 1
    return ("evaluation" if done and not folder.temporary() else "step"), said


def main():
    phase, run, seed = sys.argv[1:4]
    draw, pids = random.Random(int(seed)), [int(pid) for pid in sys.argv[4:]]
    checkpoints = os.path.join(run, "checkpoints")
    end = time.monotonic() + 120
    while not os.path.isdir(checkpoints) and time.monotonic() < end:
        time.sleep(0.01)
    folder, victim = Folder(checkpoints), draw.choice(pids)
    rank = rank_of(victim)
    full, before, step = aim(phase, folder, victim, draw, end)
    found, said = seen(phase, folder, victim, full, before, step)
    os.kill(victim, signal.SIGKILL)
    print(f"{found} rank {rank} after step {step}: {said}")


if __name__ == "__main__":
    main()
