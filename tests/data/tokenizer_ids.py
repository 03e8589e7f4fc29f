"""Makes small tokenizers and the ids that they give, with the package `tokenizers` (0.23): usage tokenizer_ids.py ROOT.

Writes ROOT/fuzz/corpus/tokenizer/*.json and ROOT/tests/data/tokenizer_ids.h.
"""
import base64
import json
import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(sys.argv[1])
TEXT = [
    "The cat sat on the mat, and the dog didn't.\n",
    "We've seen 12 cats and 345 dogs; they're the user's own.\n",
    "\n",
    "Cafés naïvely serve the the theatre  crowd   well.\n",
    "日本語のテキスト and 中文 text, emoji 😀 too.\n",
]
CASES = [
    "",
    " ",
    "\n\n",
    "The cat's  hat,\n\n   isn't\there.  ",
    "we'LL they've 3.14 1234567",
    "Café naïve İstanbul Ångström",
    "日本語と中文 한국어 ﬁn ½ Ⅳ",
    "😀 👩‍👧 the\u00a0end\u3000of\u2028it",
    "<|end|>the cat<|end|> <mask> the",
    "a" * 120 + " b",
    "[CLS] the [SEP] \u0007bell \ufffd",
]
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
LLAMA = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def bytes_of(**kw):
    t = Tokenizer(models.BPE(**kw))
    t.decoder = decoders.ByteLevel()
    return t


def train(t, size, special, alphabet=()):
    kind = trainers.WordPieceTrainer if isinstance(t.model, models.WordPiece) else trainers.BpeTrainer
    t.train_from_iterator(
        TEXT, kind(vocab_size=size, special_tokens=special, initial_alphabet=list(alphabet), show_progress=False))
    return t


made = {}
t = bytes_of()
t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
made["bytes"] = train(t, 320, ["<|end|>"], ALPHABET)
t = bytes_of(ignore_merges=True)
t.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(LLAMA), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
made["split"] = train(t, 310, ["<|end|>"], ALPHABET)
made["split"].add_special_tokens([AddedToken("<mask>", lstrip=True)])
t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
t.normalizer = normalizers.BertNormalizer()
t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
t.decoder = decoders.WordPiece()
made["pieces"] = train(t, 110, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
made["pieces"].post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Lowercase()])
t.pre_tokenizer = pre_tokenizers.Metaspace()
t.decoder = decoders.Metaspace()
made["blanks"] = train(t, 340, ["<unk>", "<s>"] + ["<0x%02X>" % b for b in range(256)])

# Scores of pieces that are not a trainer's, so that several paths are close to each other; the pieces are parts of the text.
# Of a few rules, made by SentencePiece: a ligature, a fraction, wide spaces, an accent behind its letter, a family.
CHARSMAP = (
    "AAQAAAAYAAAHDQAAAAAAgAEAAIDMAAIAgQkAAKAVAAAXAACAAwAAgIUNAAAHAACAsBkAAAo9AAAJAACAo3EAAAkxAACApAIAqEkAAAsAAICAHA"
    "IAgF0AAIXgAgCVdAIAnD0AABMAAICsCAIAgRkAAL1NAAAQAACAn0gCAJGgAgCpdAMA4gQCAIA4AgCNBQAADgAAgCUAAAAkAAAAJwAAACYAAAAp"
    "AAAAKAAAACsAAAAqAAAALQAAACwAAAAvAAAALgAAADEAAAAwAAAAMwAAADIAAAA1AAAANAAAADcAAAA2AAAAOQAAADgAAAA7AAAAOgAAAD0AAA"
    "A8AAAAPwAAAD4AAABBAAAAQAAAAEMAAABCAAAARQAAAEQAAABHAAAARgAAAEkAAABIAAAASwAAAEoAAABNAAAATAAAAE8AAABOAAAAUQAAAFAA"
    "AABTAAAAUgAAAFUAAABUAAAAVwAAAFYAAABZAAAAWAAAAFsAAABaAAAAXQAAAFwAAABfAAAAXgAAAGEAAABgAAAAYwAAAGWsAgBlAAAAZAAAAG"
    "cAAABmAAAAaQAAAGgAAABrAAAAagAAAG0AAABsAAAAbwAAAG4AAABxAAAAcAAAAHMAAAByAAAAdQAAAHQAAAB3AAAAdgAAAHkAAAB4AAAAewAA"
    "AHoAAAB9AAAAfAAAAH8AAAB+AAAAgQAAAIAAAACDAAAAggAAAIUAAACEAAAAhwAAAIYAAACJAAAAiAAAAIsAAACKAAAAjQAAAIwAAACPAAAAjg"
    "AAAJEAAACQAAAAkwAAAJIAAACVAAAAlAAAAJcAAACWAAAAmQAAAJgAAACbAAAAmgAAAJ0AAACcAAAAnwAAAJ4AAAChAAAAoAAAAKMAAACiAAAA"
    "pQAAAKQAAACnAAAApgAAAKkAAACoAAAAqwAAAKoAAACtAAAArAAAAK8AAACuAAAAsQAAALAAAACzAAAAsgAAALUAAAC0AAAAtwAAALYAAAC5AA"
    "AAuAAAALsAAAC6AAAAvQAAALwAAAC/AAAAvgAAAMEAAADAAAAAxOQBAMIAAADCiAEAwyQBAMcAAADGAAAAyQAAAMgAAADLAAAAygAAAM0AAADM"
    "AAAAzwAAAM4AAADRAAAA0AAAANMAAADSAAAA1QAAANQAAADXAAAA1gAAANkAAADYAAAA2wAAANoAAADdAAAA3AAAAN8AAADeAAAA4QAAAOAAAA"
    "DjAAAA4gAAAOLQAQDj2AEA5wAAAOYAAADpAAAA73ABAOsAAADtoAEA7QAAAOwAAADvAAAA7gAAAPEAAADwAAAA8wAAAPIAAAD1AAAA9AAAAPDQ"
    "AQD2AAAA+QAAAPgAAAD7AAAA+gAAAP0AAAD8AAAA/wAAAP4AAAAAIAAxLzIAQQBJAElWAFcAZmkAaGFuAMOpAA==")


def scored(byte_fallback):
    words = "".join(TEXT).replace(" ", "\u2581").replace("\n", "")
    pieces, state = {}, 7
    for begin in range(len(words)):
        for size in (1, 2, 3, 4):
            state = (1103515245 * state + 12345) % 2**31
            if size == 1 or state // 65536 % 3 == 0:
                pieces.setdefault(words[begin:begin + size], -1 - (state // 65536 % 64) / 8)
    dropped = ["x", "q", "\u8a9e", "7"]
    special = [("<unk>", 0.0), ("</s>", 0.0)] + [("<0x%02X>" % b, -9.5) for b in range(256) if byte_fallback]
    return models.Unigram(special + [p for p in pieces.items() if p[0] not in dropped], 0, byte_fallback)


t = Tokenizer(scored(False))
t.normalizer = normalizers.Sequence([normalizers.Precompiled(base64.b64decode(CHARSMAP)), normalizers.Replace(Regex(" {2,}"), " ")])
t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
t.decoder = decoders.Metaspace()
t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
made["scores"] = t
t = Tokenizer(scored(True))
t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
t.decoder = decoders.Metaspace(prepend_scheme="first")
made["scored_bytes"] = t

lines = ["/* Texts and the ids that `tokenizers` gives them; made by tokenizer_ids.py. */"]
lines.append("static const char *const id_texts[] = {")
for text in CASES:
    octal = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else "\\%03o" % b for b in text.encode())
    lines.append('    "%s",' % octal)
lines.append("};")
for name, t in made.items():
    path = ROOT / "fuzz/corpus/tokenizer" / (name + ".json")
    path.write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
    t = Tokenizer.from_file(str(path))
    lines.append("static const int ids_%s[] = {" % name)
    for text in CASES:
        ids = t.encode(text, add_special_tokens=False).ids
        lines.append("    " + ", ".join(map(str, ids + [-1])) + ",")
    lines.append("};")
(ROOT / "tests/data/tokenizer_ids.h").write_text("\n".join(lines) + "\n")
(ROOT / "tests/data/tokenizer_ids.txt").write_text("".join(TEXT))
