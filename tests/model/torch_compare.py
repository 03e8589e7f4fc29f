"""Loads weights that test_torch.c wrote into PyTorch modules of the same names, and compares gradients of the summed loss
in training mode, running statistics after it, and logits in evaluation mode.

Usage: torch_compare.py FOLDER FAMILY. Exit status 0: all agree to 1e-4; 1: they do not; 77: no torch."""
import pathlib
import sys

try:
    import numpy
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)

folder, family = pathlib.Path(sys.argv[1]), sys.argv[2]


def arrays(kind):
    out = {}
    for line in (folder / f"{kind}.txt").read_text().splitlines():
        name, *shape = line.split()
        out[name] = [int(n) for n in shape]
    data = numpy.fromfile(folder / f"{kind}.bin", numpy.float32)
    at = 0
    for name, shape in out.items():
        size = int(numpy.prod(shape))
        out[name] = torch.from_numpy(data[at:at + size].reshape(shape).copy())
        at += size
    assert at == data.size
    return out


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(3072, 96), nn.Linear(96, 40), nn.Linear(40, 10)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x.flatten(1))))))


class Convnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 32, 5, padding=2)
        self.fc1, self.fc2 = nn.Linear(32 * 64, 50), nn.Linear(50, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.extra = outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.extra))
        return torch.relu(x + y)


class Resnet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean((2, 3)))


def worst(ours, theirs):
    return max((float((ours[k] - theirs[k]).norm() / (theirs[k].norm() + 1e-12)), k) for k in ours)


torch.set_num_threads(1)
model = {"mlp": Mlp, "convnet": Convnet, "resnet": Resnet20}[family]()
weights, state = arrays("weights"), arrays("state")
counters = {k: v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
model.load_state_dict({**weights, **state, **counters}, strict=True)
batch = arrays("batch")
model.train()
loss = nn.functional.cross_entropy(model(batch["x"]), batch["label"].long(), reduction="sum")
loss.backward()
checks = {"gradient": worst(arrays("gradient"), {k: p.grad for k, p in model.named_parameters()})}
if state:
    checks["running statistics"] = worst(arrays("state_next"), dict(model.named_buffers()))
model.eval()
with torch.no_grad():
    checks["logits"] = worst(arrays("logits"), {"logits": model(batch["x"])})
for what, (error, name) in checks.items():
    print(f"# {family} {what}: relative error at most {error:.2e} ({name})")
sys.exit(any(error > 1e-4 for error, _ in checks.values()))
