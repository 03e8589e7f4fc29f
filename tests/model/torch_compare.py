"""Loads weights that test_torch.c wrote into PyTorch modules of the same names, or into those of transformers (peers.py),
and compares losses and gradients in training mode, the Hessian times a direction, running statistics after it, and logits in
evaluation mode. Files are safetensors, read here as the format says.

Usage: torch_compare.py FOLDER FAMILY BYTES. Numbers have 8 or 4 bytes; torch computes in double. Doubles must agree to 1e-9.
Floats must agree to 1e-4, or be at most 3 times as far away as torch's own floats are: a deep network's first layers see
activations flip where rounding carries them over a kink. Exit status 0: all agree; 1: they do not; 77: no torch."""
import json
import os
import pathlib
import sys

folder, family, size_of = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
PEERS = ("bert_words", "bert_labels", "bert_spans", "vit", "gpt2", "t5", "t5_gated")
try:
    import numpy
    import torch
    from torch import nn
    if family in PEERS:
        import peers
except ImportError:
    other = os.environ.get("GLISSADE_PEERS")
    if other and os.path.abspath(other) != os.path.abspath(sys.executable):  # both may be links to one Python
        os.execv(other, [other, *sys.argv])
    sys.exit(77)


def arrays(kind):
    raw = (folder / f"{kind}.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    kinds = {"F64": numpy.float64, "F32": numpy.float32, "I32": numpy.int32}
    out = {}
    for name, about in json.loads(raw[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + at for at in about["data_offsets"])
            flat = numpy.frombuffer(raw[begin:end], kinds[about["dtype"]])
            out[name] = torch.from_numpy(flat.reshape(about["shape"]).copy())
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


def normalisation(channels):
    """Batch norm where there are running statistics, else group norm."""
    return nn.BatchNorm2d(channels) if "bn1.running_mean" in given else nn.GroupNorm(8, channels)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = normalisation(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = normalisation(outputs)
        self.extra = outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.extra))
        return torch.relu(x + y)


class Resnet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), normalisation(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean((2, 3)))


class Nplm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.hidden, self.output = nn.Embedding(700, 60), nn.Linear(4 * 60, 60), nn.Linear(60, 700)
        self.output.weight = self.embedding.weight

    def forward(self, x):
        words = nn.functional.pad(self.embedding(x.long()), (0, 0, 3, 0))
        window = torch.cat([words[:, k:k + x.shape[1]] for k in range(4)], 2)
        return self.output(torch.tanh(self.hidden(window)))


class LstmLayer(nn.Module):
    """nn.LSTM's own function, with one bias."""

    def __init__(self, inputs, units):
        super().__init__()
        self.weight_ih, self.weight_hh = (nn.Parameter(torch.zeros(4 * units, n)) for n in (inputs, units))
        self.bias = nn.Parameter(torch.zeros(4 * units))

    def forward(self, x):
        zero = x.new_zeros(1, len(x), self.weight_hh.shape[1])
        weights = [self.weight_ih, self.weight_hh, self.bias, torch.zeros_like(self.bias)]
        return torch.lstm(x, (zero, zero), weights, True, 1, 0.0, self.training, False, True)[0]


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.output = nn.Embedding(700, 40), nn.Linear(40, 700)
        self.lstm1, self.lstm2 = LstmLayer(40, 40), LstmLayer(40, 40)
        self.output.weight = self.embedding.weight

    def forward(self, x):
        return self.output(self.lstm2(self.lstm1(self.embedding(x.long()))))


class DecoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(40), nn.LayerNorm(40)
        self.qkv, self.project, self.fc1, self.fc2 = (nn.Linear(*n) for n in ((40, 120), (40, 40), (40, 160), (160, 40)))

    def forward(self, x):
        y = self.norm1(x).transpose(0, 1)
        mask = torch.ones(len(y), len(y), dtype=torch.bool).triu(1)
        y, _ = nn.functional.multi_head_attention_forward(
            y, y, y, 40, 4, self.qkv.weight, self.qkv.bias, None, None, False, 0.0, self.project.weight,
            self.project.bias, attn_mask=mask)
        x = x + y.transpose(0, 1)
        return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(12, 40))

    def forward(self, x):
        return x + self.weight


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.output, self.positions = nn.Embedding(700, 40), nn.Linear(40, 700), Positions()
        self.layer1, self.layer2, self.norm = DecoderLayer(), DecoderLayer(), nn.LayerNorm(40)
        self.output.weight = self.embedding.weight

    def forward(self, x):
        return self.output(self.norm(self.layer2(self.layer1(self.positions(self.embedding(x.long()))))))


class Memory(nn.Module):
    """What the rows before a row left of this layer's input: the row follows where their number is its place."""

    def __init__(self, length, dim):
        super().__init__()
        self.register_buffer("hidden", torch.zeros(24, length, dim))
        self.register_buffer("rows", torch.zeros(24))

    def forward(self, x):
        place = torch.arange(len(x)) % 3  # test_torch.c
        follows = (place > 0) & (self.rows == place)
        missing = (self.hidden.shape[1] - follows * place * x.shape[1]).clamp(min=0)
        seen = torch.cat([follows[:, None, None] * self.hidden.to(x.dtype), x], 1)
        if self.training:
            self.hidden, self.rows = seen[:, -self.hidden.shape[1]:].detach().clone(), (place + 1).to(x.dtype)
        return seen, missing


class QueryBiases(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.content, self.position = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))


class XlLayer(nn.Module):
    """Dai et al. 2019, section 3.3, score by score."""

    def __init__(self, dim, heads, before):
        super().__init__()
        self.heads, self.before = heads, before
        self.query, self.key_value, self.position, self.project = (
            nn.Linear(dim, n, bias=False) for n in (dim, 2 * dim, dim, dim))
        self.query_biases, self.memory = QueryBiases(dim), Memory(16, dim)
        self.norm1, self.norm2, self.fc1, self.fc2 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), \
            nn.Linear(4 * dim, dim)

    def heads_of(self, x):
        return x.unflatten(-1, (self.heads, -1))

    def attend(self, x):
        seen, missing = self.memory(x)
        if self.before:
            seen = self.norm1(seen)
        length, dim = x.shape[1], x.shape[2]
        key, value = (self.heads_of(part) for part in self.key_value(seen).chunk(2, -1))
        q = self.query(seen[:, -length:])
        distance = torch.arange(length)[:, None] + seen.shape[1] - length - torch.arange(seen.shape[1])
        angle = distance[..., None].to(x.dtype) / 10000 ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim).to(x.dtype)
        row = self.heads_of(self.position(torch.cat([angle.sin(), angle.cos()], -1)))
        score = torch.einsum("bihd,bjhd->bhij", self.heads_of(q + self.query_biases.content), key) + \
            torch.einsum("bihd,ijhd->bhij", self.heads_of(q + self.query_biases.position), row)
        hidden = (distance < 0) | (torch.arange(seen.shape[1]) < missing[:, None, None, None])
        share = (score / key.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf).softmax(-1)
        return self.project(torch.einsum("bhij,bjhd->bihd", share, value).flatten(2))

    def forward(self, x):
        x = x + self.attend(x) if self.before else self.norm1(x + self.attend(x))
        y = self.fc2(torch.relu(self.fc1(self.norm2(x) if self.before else x)))
        return x + y if self.before else self.norm2(x + y)


class TransformerXl(nn.Module):
    def __init__(self, before):
        super().__init__()
        self.embedding, self.output = nn.Embedding(700, 40), nn.Linear(40, 700)
        self.layer1, self.layer2 = XlLayer(40, 4, before), XlLayer(40, 4, before)
        if before:
            self.norm = nn.LayerNorm(40)
        self.before, self.output.weight = before, self.embedding.weight

    def forward(self, x):
        y = self.layer2(self.layer1(self.embedding(x.long())))
        return self.output(self.norm(y) if self.before else y)


def sum_of_losses(out, label):
    """By example: the mean over its labels times its mass, the share of its positions that have one. Where there are
    outputs for the last positions only, the mean is over theirs."""
    if out.dim() == 2:
        return nn.functional.cross_entropy(out, label, reduction="sum")
    mass, label = (label >= 0).sum(1) / label.shape[1], label[:, -out.shape[1]:]
    losses = nn.functional.cross_entropy(out.transpose(1, 2), label, reduction="none", ignore_index=-1)
    return (losses.sum(1) * mass / (label >= 0).sum(1).clamp(min=1)).sum()


def ask(dtype, draw=0):
    """Gradients, Hessian products, running statistics, logits and the loss by torch in this precision; from the second
    draw on with weights that are off by a rounding of a float."""
    own = {"transformer_xl": lambda: TransformerXl(False), "transformer_xl_pre": lambda: TransformerXl(True), "mlp": Mlp, "convnet": Convnet, "resnet": Resnet20, "nplm": Nplm, "lstm": Lstm, "transformer": Transformer}
    model = own[family]() if family in own else peers.Peer(family, arrays("weights"), batch)
    counters = {k: v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
    tied = {"output.weight": arrays("weights")["embedding.weight"]} if hasattr(model, "embedding") else {}
    model.load_state_dict({**arrays("weights"), **arrays("state"), **counters, **tied}, strict=True)
    # load_state_dict rounds to the model's precision: doubles are put in again, whole
    model = model.to(dtype)
    for name, value in {**dict(model.named_parameters()), **dict(model.named_buffers())}.items():
        if name in given:
            value.data = given[name].to(dtype).clone()
    noise = torch.Generator().manual_seed(draw)
    for value in model.parameters() if draw else ():
        value.data *= 1 + 2**-23 * torch.randn(value.shape, generator=noise).to(dtype)
    model.train()
    x = batch["x"].to(dtype)
    parameters = dict(model.named_parameters())
    loss = sum_of_losses(model(x), batch["label"].long())
    gradient = torch.autograd.grad(loss, parameters.values(), create_graph=True)
    slope = sum((g * direction[name].to(dtype)).sum() for name, g in zip(parameters, gradient))
    hessian = torch.autograd.grad(slope, parameters.values())
    found = [{k: g.detach().double() for k, g in zip(parameters, each)} for each in (gradient, hessian)]
    statistics = {k: v.clone().double() for k, v in model.named_buffers() if k in given}
    model.eval()
    with torch.no_grad():
        logits = model(x).flatten(1).double()
    return *found, statistics, {"logits": logits}, {"loss": loss.detach().double().reshape(1)}


def seen(logits):
    """Without those of padding, which mean nothing: [rows, positions, words] or [rows, 2, positions], flat."""
    if family not in ("bert_words", "bert_spans"):
        return logits
    document = batch["document"]
    shape = (*document.shape, -1) if family == "bert_words" else (len(document), 2, -1)
    padding = document[:, :, None] < 0 if family == "bert_words" else document[:, None] < 0
    return logits.reshape(shape).masked_fill(padding, 0)


def distance(mine, theirs, least):
    """Relative, of values that cancel to nothing (of a shift of all scores that a softmax compares) to `least`."""
    return float((mine.double() - theirs).norm() / (theirs.norm() + least))


torch.set_num_threads(1)
given = {**arrays("weights"), **arrays("state")}
batch = arrays("batch")
direction = arrays("direction")
kinds = ["gradient", "hessian", "state_next", "logits", "loss"]
# What rounding does: where a relu's input comes out on the other side of zero, its gradient jumps.
DRAWS = 4 if size_of == 4 else 1
right, near = ask(torch.float64), [ask(torch.float32, draw) for draw in range(DRAWS)]
failed = False
for kind, exact, *singles in zip(kinds, right, *near):
    worst = ("", 0.0, 0.0)
    pick = seen if kind == "logits" else lambda value: value
    least = 1e-6 * max((float(pick(value).norm()) for value in exact.values()), default=0) + 1e-12
    for name, mine in (arrays(kind) if exact else {}).items():
        error, *owns = (distance(pick(value), pick(exact[name]), least) for value in (mine, *(s[name] for s in singles)))
        own = max(owns)
        worst = max(worst, (name, error, own), key=lambda item: item[1])
        if not error <= (1e-9 if size_of == 8 else max(1e-4, 3 * own)):
            print(f"# {family} {kind} {name}: {error:.2e}, torch in float {own:.2e}")
            failed = True
    if exact:
        print(f"# {family} {kind}: relative error at most {worst[1]:.2e} ({worst[0]}; torch in float {worst[2]:.2e})")
sys.exit(failed)
