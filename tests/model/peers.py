"""Models of transformers (Hugging Face) under the names of Glissade's parameters. Theirs are made of ours in every forward
pass, so that gradients and Hessian products come out under our names; each of their parameters must be one of ours."""
import logging
import sys

import torch
import transformers
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

logging.disable(logging.WARNING)

SEPARATOR = 3


def pair(out, theirs, ours, name):
    for part in ("weight", "bias"):
        out[f"{theirs}.{part}"] = ours[f"{name}.{part}"]


def attention(out, theirs, ours, layer, names):
    """Queries, keys and values stand in one matrix here."""
    for part in ("weight", "bias"):
        for name, value in zip(names, ours[f"{layer}.qkv.{part}"].chunk(3)):
            out[f"{theirs}.{name}.{part}"] = value


def bert_body(ours, depth):
    out = {}
    for theirs, name in (("word", "embedding"), ("position", "positions"), ("token_type", "segments")):
        out[f"bert.embeddings.{theirs}_embeddings.weight"] = ours[f"{name}.weight"]
    pair(out, "bert.embeddings.LayerNorm", ours, "norm")
    for k in range(depth):
        theirs, layer = f"bert.encoder.layer.{k}", f"layer{k + 1}"
        attention(out, f"{theirs}.attention.self", ours, layer, ("query", "key", "value"))
        for name, own in (("attention.output.dense", "project"), ("attention.output.LayerNorm", "norm1"),
                          ("intermediate.dense", "fc1"), ("output.dense", "fc2"), ("output.LayerNorm", "norm2")):
            pair(out, f"{theirs}.{name}", ours, f"{layer}.{own}")
    return out


def bert_words(ours):
    out = bert_body(ours, 2)
    pair(out, "cls.predictions.transform.dense", ours, "head")
    pair(out, "cls.predictions.transform.LayerNorm", ours, "head_norm")
    return {**out, "cls.predictions.bias": ours["output.bias"]}


def bert_labels(ours):
    out = bert_body(ours, 2)
    pair(out, "bert.pooler.dense", ours, "pooler")
    pair(out, "classifier", ours, "output")
    return out


def bert_spans(ours):
    out = bert_body(ours, 2)
    pair(out, "qa_outputs", ours, "output")
    return out


def vit(ours):
    out = {"vit.embeddings.cls_token": ours["class.weight"][None, None],
           "vit.embeddings.position_embeddings": ours["positions.weight"][None],
           "vit.embeddings.patch_embeddings.projection.weight": ours["patch.weight"].reshape(-1, 3, 8, 8),
           "vit.embeddings.patch_embeddings.projection.bias": ours["patch.bias"]}
    for k in range(2):
        theirs, layer = f"vit.layers.{k}", f"layer{k + 1}"
        attention(out, f"{theirs}.attention", ours, layer, ("q_proj", "k_proj", "v_proj"))
        for name, own in (("attention.o_proj", "project"), ("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
                          ("mlp.fc1", "fc1"), ("mlp.fc2", "fc2")):
            pair(out, f"{theirs}.{name}", ours, f"{layer}.{own}")
    pair(out, "vit.layernorm", ours, "norm")
    pair(out, "classifier", ours, "output")
    return out


def gpt2(ours):
    """Its matrices have inputs as rows."""
    out = {"transformer.wte.weight": ours["embedding.weight"], "transformer.wpe.weight": ours["positions.weight"]}
    pair(out, "transformer.ln_f", ours, "norm")
    for k in range(2):
        theirs, layer = f"transformer.h.{k}", f"layer{k + 1}"
        pair(out, f"{theirs}.ln_1", ours, f"{layer}.norm1")
        pair(out, f"{theirs}.ln_2", ours, f"{layer}.norm2")
        for name, own in (("attn.c_attn", "qkv"), ("attn.c_proj", "project"), ("mlp.c_fc", "fc1"), ("mlp.c_proj", "fc2")):
            out[f"{theirs}.{name}.weight"] = ours[f"{layer}.{own}.weight"].T
            out[f"{theirs}.{name}.bias"] = ours[f"{layer}.{own}.bias"]
    return out


def t5_attention(out, theirs, ours, layer, name, norm, across=""):
    key, value = ours[f"{layer}.{across}key_value.weight"].chunk(2)
    for part, weight in (("q", ours[f"{layer}.{across}query.weight"]), ("k", key), ("v", value),
                         ("o", ours[f"{layer}.{across}project.weight"])):
        out[f"{theirs}.{name}.{part}.weight"] = weight
    out[f"{theirs}.layer_norm.weight"] = ours[f"{layer}.{norm}.weight"]


def t5(ours):
    """A gate's two matrices stand in one here."""
    gated = ours["encoder.layer1.fc1.weight"].shape[0] != ours["encoder.layer1.fc2.weight"].shape[1]
    out = {"shared.weight": ours["embedding.weight"]}
    if "output.weight" in ours:
        out["lm_head.weight"] = ours["output.weight"]
        for stack in ("encoder", "decoder"):  # transformers 5.24 then has copies of the words' vectors
            out[f"{stack}.embed_tokens.weight"] = ours["embedding.weight"]
    for stack in ("encoder", "decoder"):
        bias = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        out[bias] = ours[f"{stack}.bias.weight"]
        out[f"{stack}.final_layer_norm.weight"] = ours[f"{stack}.norm.weight"]
        for k in range(2):
            theirs, layer, feed = f"{stack}.block.{k}.layer", f"{stack}.layer{k + 1}", 1 if stack == "encoder" else 2
            t5_attention(out, f"{theirs}.0", ours, layer, "SelfAttention", "norm1")
            if stack == "decoder":
                t5_attention(out, f"{theirs}.1", ours, layer, "EncDecAttention", "cross_norm", "cross_")
            inside = ours[f"{layer}.fc1.weight"].chunk(2) if gated else [ours[f"{layer}.fc1.weight"]]
            for part, weight in enumerate(inside):
                out[f"{theirs}.{feed}.DenseReluDense.wi{f'_{part}' if gated else ''}.weight"] = weight
            out[f"{theirs}.{feed}.DenseReluDense.wo.weight"] = ours[f"{layer}.fc2.weight"]
            out[f"{theirs}.{feed}.layer_norm.weight"] = ours[f"{layer}.norm2.weight"]
    return out


def t5_config(**options):
    return transformers.T5Config(vocab_size=700, num_layers=2, dropout_rate=0, attn_implementation="eager", **options)


def t5_tied_config():
    return t5_config(d_model=64, d_kv=16, d_ff=256, num_heads=4, feed_forward_proj="relu", tie_word_embeddings=True,
                     scale_decoder_outputs=True)


def t5_gated_config():
    """Its gelu is the exact one here. Its output layer is tied by its configuration whatever one says there."""
    config = t5_config(d_model=48, d_kv=12, d_ff=80, num_heads=6, feed_forward_proj="gated-gelu",
                       tie_word_embeddings=False, scale_decoder_outputs=False, relative_attention_num_buckets=8,
                       relative_attention_max_distance=6)
    config.dense_act_fn, config.tie_word_embeddings = "gelu", False
    return config


class same_precision:
    """transformers' T5 computes softmax and mean squares in float whatever its own precision; here in that."""

    def __enter__(self):
        from transformers.models.t5.modeling_t5 import T5LayerNorm
        self.norm, self.old, self.float = T5LayerNorm, T5LayerNorm.forward, torch.Tensor.float
        T5LayerNorm.forward = lambda norm, x: norm.weight * x * torch.rsqrt(
            x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)
        torch.Tensor.float = lambda x: x

    def __exit__(self, *unused):
        self.norm.forward, torch.Tensor.float = self.old, self.float


def of_rest(source):
    """The encoder reads the first tokens of a row, the decoder begins with the last of these."""
    def run(call, batch, ours):
        token = batch["x"].long()
        with same_precision():
            return call(input_ids=token[:, :source], decoder_input_ids=token[:, source - 1:]).logits
    return run


def bert_config():
    return transformers.BertConfig(vocab_size=700, hidden_size=128, num_hidden_layers=2, num_attention_heads=2,
                                   intermediate_size=512, max_position_embeddings=16, hidden_dropout_prob=0,
                                   attention_probs_dropout_prob=0, layer_norm_eps=1e-12, num_labels=3, pad_token_id=None,
                                   attn_implementation="sdpa")


def vit_config():
    return transformers.ViTConfig(hidden_size=192, num_hidden_layers=2, num_attention_heads=3, intermediate_size=768,
                                  image_size=32, patch_size=8, num_channels=3, hidden_dropout_prob=0,
                                  attention_probs_dropout_prob=0, layer_norm_eps=1e-6, num_labels=10,
                                  attn_implementation="sdpa")


def gpt2_config():
    return transformers.GPT2Config(vocab_size=700, n_positions=12, n_embd=64, n_layer=2, n_head=4,
                                   activation_function="gelu", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
                                   layer_norm_epsilon=1e-5, attn_implementation="sdpa")


def of_words(call, batch, ours):
    return call(**texts(batch)).logits


def of_spans(call, batch, ours):
    out = call(**texts(batch))
    hidden = batch["document"] < 0
    return torch.stack([ends.masked_fill(hidden, -1e9) for ends in (out.start_logits, out.end_logits)], 1)


def texts(batch):
    """A text ends with its separator; what is behind the first one is of the second segment."""
    token = batch["x"].long()
    ends = (token == SEPARATOR).long()
    return {"input_ids": token, "token_type_ids": (ends.cumsum(1) - ends).clamp(max=1),
            "attention_mask": (batch["document"] >= 0).long()}


PEERS = {"t5": ("T5ForConditionalGeneration", t5_tied_config, t5, of_rest(6)),
         "t5_gated": ("T5ForConditionalGeneration", t5_gated_config, t5, of_rest(9)),
         "bert_words": ("BertForMaskedLM", bert_config, bert_words, of_words),
         "bert_labels": ("BertForSequenceClassification", bert_config, bert_labels, of_words),
         "bert_spans": ("BertForQuestionAnswering", bert_config, bert_spans, of_spans),
         "vit": ("ViTForImageClassification", vit_config, vit,
                 lambda call, batch, ours: call(pixel_values=batch["x"]).logits),
         "gpt2": ("GPT2LMHeadModel", gpt2_config, gpt2,  # whose output layer has no bias
                  lambda call, batch, ours: call(input_ids=batch["x"].long()).logits + ours["output.bias"])}


class Peer(nn.Module):
    def __init__(self, name, ours, batch):
        super().__init__()
        kind, config, self.theirs, self.run = PEERS[name]
        self.peer, self.batch = getattr(transformers, kind)(config()), batch
        for key, value in ours.items():
            self.register_parameter(key.replace(".", "/"), nn.Parameter(value.clone()))
        missing = set(dict(self.peer.named_parameters())) ^ set(self.theirs(ours))
        if missing:
            sys.exit(f"# {name}: parameters without a counterpart: {sorted(missing)}")

    def named_parameters(self, *arguments, **options):
        return [(key.replace("/", "."), value) for key, value in self._parameters.items()]

    def load_state_dict(self, *arguments, **options):
        """Values are put in by whoever made this."""

    def forward(self, x):
        ours = dict(self.named_parameters())
        theirs = self.theirs(ours)

        def call(**given):
            with sdpa_kernel(SDPBackend.MATH):  # in the values' own precision, and twice differentiable
                return torch.func.functional_call(self.peer, theirs, (), given)
        return self.run(call, {**self.batch, "x": x}, ours)
