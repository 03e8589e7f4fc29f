"""Ratios of PyTorch's steps to ours, round by round, from what bench/methods.sh gathered: medians and their range. Ours with
narrow state (bf16_RULE, q8_RULE) stand beside PyTorch's RULE, whose state is float."""
import statistics
import sys


def main():
    ours, torch = {}, {}
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["ours"]:  # method, threads, plain, handed, GB/s, ratio, without a norm, ratio
            ours.setdefault((words[1], words[2]), []).append((float(words[4]), float(words[7])))
        elif words[:1] == ["torch"] and words[2].isdigit():  # method, threads, ms, GB/s, kind
            torch.setdefault((words[1], words[2]), []).append((float(words[3]), words[5]))
    print(f"{'method':10s} t  {'torch ms':>9s} {'handed':>8s} {'ratio':>6s} (range)        {'no norm':>8s} {'ratio':>6s} (range)")
    for key in sorted(ours):
        beside = key[0].removeprefix("bf16_").removeprefix("q8_"), key[1]
        if beside not in torch:
            continue
        pairs = list(zip(ours[key], torch[beside]))
        line = f"{key[0]:10s} {key[1]}  {statistics.median(t for _, (t, _) in pairs):9.1f}"
        for way in (0, 1):
            ratios = [t / mine[way] for mine, (t, _) in pairs]
            line += f" {statistics.median(mine[way] for mine, _ in pairs):8.1f} {statistics.median(ratios):6.2f}"
            line += f" ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line, pairs[0][1][1])


main()
