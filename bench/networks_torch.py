"""Training steps of networks beside PyTorch's, strictly alternating, medians.

Usage: networks_torch.py BUILD [THREADS] [ROUNDS] [CASES, default all] [VARIANTS, default eager,compiled]

The peer runs as fairly as we know (alternate.py): channels_last for images, fused SGD; eager and compiled, and each with
`-bf16` appended under autocast. Printed: images a second, ours over the peer's, what norms of every image's gradient
cost us, and the share of a roofline made in the same rounds (roofline_images.c); the same for processor time, the better
figure on a busy machine."""
import sys

from alternate import BF16, Program, alternate, peak, peers, serve
from built import built


def models():
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.stride, self.extra = stride, outputs - inputs

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            if self.extra:
                x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.extra))
            return torch.relu(x + y)

    def resnet20():
        blocks = [Block(16 << s if s == 0 or k else 8 << s, 16 << s, 2 if s and k == 0 else 1)
                  for s in range(3) for k in range(3)]
        return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
                             nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def convnet():
        return nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5, padding=2),
                             nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 64, 128), nn.ReLU(),
                             nn.Linear(128, 10))

    def mlp():
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                             nn.Linear(512, 10))

    return {"mlp": mlp, "convnet": convnet, "resnet20": resnet20}


CASES = {"mlp-128": ((784,), 60), "convnet-128": ((3, 32, 32), 6), "resnet20-32": ((3, 32, 32), 6),
         "resnet20-128": ((3, 32, 32), 2)}


def serve_case(case, variant, threads):
    """As a process of its own."""
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    before = peak()
    name, rows = case.split("-")
    model, x, y = models()[name](), torch.randn(int(rows), *CASES[case][0]), torch.randint(10, (int(rows),))
    if x.dim() == 4:
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    method = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)

    def loss():
        with torch.autocast("cpu", torch.bfloat16, enabled=variant.endswith("-bf16")):
            z = model(x)
        return torch.nn.functional.cross_entropy(z.float(), y)

    value = torch.compile(loss) if variant.startswith("compiled") else loss

    def step():
        method.zero_grad()
        value().backward()
        method.step()

    print(torch.__version__, flush=True)
    serve(step, before)


def compare(build, case, threads, rounds, variants):
    ours, normed, narrow = (Program(built(build, "networks"), threads) for _ in range(3))
    roof = Program(built(build, "roofline_images"), threads)
    others, version = peers(__file__, case, variants, threads)
    count = CASES[case][1]
    print(f"{case}: torch {version}")
    asks = {"ours": lambda: ours.ask(case, count), "norms": lambda: normed.ask("norms", case, count)}
    if any(variant.endswith("-bf16") for variant in variants) and BF16:
        asks["ours-bf16"] = lambda: narrow.ask(f"{case},bf16", count)
    if case.startswith("resnet20"):
        del asks["norms"]  # batch norm couples the examples
    alternate({**asks, "roofline": lambda: roof.ask(case, count),
               **{name: lambda program=program: program.ask(count) for name, program in others.items()}},
              rounds, "images", int(case.split("-")[1]) * count)
    for program in (ours, normed, narrow, roof, *others.values()):
        program.close()


def main():
    build, *rest = sys.argv[1:]
    threads, rounds = int(rest[0]) if rest else 2, int(rest[1]) if len(rest) > 1 else 9
    cases = rest[2].split(",") if len(rest) > 2 and rest[2] != "all" else CASES
    variants = rest[3].split(",") if len(rest) > 3 else ["eager", "compiled"]
    print(f"{threads} threads, medians of {rounds} alternating rounds")
    for case in cases:
        compare(build, case, threads, rounds, variants)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve_case(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
