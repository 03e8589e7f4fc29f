"""Training steps of sequence models beside PyTorch's, strictly alternating, medians.

Usage: sequences_torch.py BUILD [THREADS] [ROUNDS] [VARIANTS, default eager,compiled]

Two models over sequences of 128 tokens, 16 at a time, vocabulary 8,000, tied: a pre-norm decoder of 4 layers, 256 wide
with 4 heads, and 2 layers of LSTM of 400 units. A step is forward, backward, clipping by norm and AdamW. The peer runs
as fairly as we know: scaled_dot_product_attention, fused AdamW, the same number of threads, malloc that keeps its
memory; eager and compiled, and each with `-bf16` appended under autocast. Every variant and ours is a process of its
own, so that the peak of memory is its own too (compiled: the compiler's included). Printed: tokens a second, ours over
the peer's, what norms of every sentence's gradient cost us, and the share of a roofline made in the same rounds
(roofline.c); the same for processor time, the better figure on a busy machine, where waiting threads sleep."""
import sys

from alternate import BF16, Program, alternate, peak, peers, serve
from built import built

QUIET = {"OMP_WAIT_POLICY": "passive"}
ROWS, LENGTH, VOCABULARY = 16, 128, 8000
CASES = {"decoder-16": 2, "lstm-16": 2}


def models():
    import torch
    from torch import nn
    from torch.nn import functional as f

    class Layer(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.qkv, self.project = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

        def forward(self, x):
            n, t, d = x.shape
            q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
            y = f.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.project(y.transpose(1, 2).reshape(n, t, d))
            return x + self.fc2(f.gelu(self.fc1(self.norm2(x))))

    class Decoder(nn.Module):
        def __init__(self, dim=256, heads=4, depth=4):
            super().__init__()
            self.embed, self.positions = nn.Embedding(VOCABULARY, dim), nn.Parameter(torch.randn(LENGTH, dim) * 0.02)
            self.layers, self.norm = nn.ModuleList(Layer(dim, heads) for _ in range(depth)), nn.LayerNorm(dim)
            self.bias = nn.Parameter(torch.zeros(VOCABULARY))
            nn.init.normal_(self.embed.weight, std=dim**-0.5)

        def forward(self, tokens):
            x = self.embed(tokens) + self.positions[: tokens.shape[1]]
            for layer in self.layers:
                x = layer(x)
            return f.linear(self.norm(x), self.embed.weight, self.bias)

    class Lstm(nn.Module):
        def __init__(self, dim=400, depth=2):
            super().__init__()
            self.embed, self.lstm = nn.Embedding(VOCABULARY, dim), nn.LSTM(dim, dim, depth, batch_first=True)
            self.bias = nn.Parameter(torch.zeros(VOCABULARY))
            nn.init.normal_(self.embed.weight, std=dim**-0.5)

        def forward(self, tokens):
            return f.linear(self.lstm(self.embed(tokens))[0], self.embed.weight, self.bias)

    return {"decoder-16": Decoder, "lstm-16": Lstm}


def serve_case(case, variant, threads):
    """As a process of its own: reads numbers of steps, answers with seconds and the peak of memory in MiB."""
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    before = peak()
    model = models()[case]()
    tokens, labels = torch.randint(VOCABULARY, (2, ROWS, LENGTH)).unbind()
    method = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)

    def loss():
        with torch.autocast("cpu", torch.bfloat16, enabled=variant.endswith("-bf16")):
            z = model(tokens)
        return torch.nn.functional.cross_entropy(z.flatten(0, 1).float(), labels.flatten())

    value = torch.compile(loss) if variant.startswith("compiled") else loss

    def step():
        method.zero_grad()
        value().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        method.step()

    print(torch.__version__, flush=True)
    serve(step, before)


def compare(build, case, count, threads, rounds, variants):
    ours = Program(built(build, "networks"), threads, **QUIET)
    normed = Program(built(build, "networks"), threads, **QUIET)
    narrow = Program(built(build, "networks"), threads, **QUIET)
    roof = Program(built(build, "roofline"), threads, **QUIET)
    others, version = peers(__file__, case, variants, threads, **QUIET)
    print(f"{case}: torch {version}")
    in_bf16 = {"ours-bf16": lambda: narrow.ask(f"{case},bf16", count)} if BF16 else {}
    alternate({"ours": lambda: ours.ask(case, count), "norms": lambda: normed.ask("norms", case, count), **in_bf16,
               "roofline": lambda: roof.ask(case, count),
               **{name: lambda program=program: program.ask(count) for name, program in others.items()}},
              rounds, "tokens", ROWS * LENGTH * count)
    for program in (ours, normed, narrow, roof, *others.values()):
        program.close()


def main():
    build, *rest = sys.argv[1:]
    threads, rounds = int(rest[0]) if rest else 2, int(rest[1]) if len(rest) > 1 else 9
    variants = rest[2].split(",") if len(rest) > 2 else ["eager", "compiled"]
    print(f"{threads} threads, medians of {rounds} alternating rounds")
    for case, count in CASES.items():
        compare(build, case, count, threads, rounds, variants)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve_case(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
