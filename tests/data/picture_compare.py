"""Compares decoded pictures with Pillow: usage picture_compare.py FOLDER. Exits with 77 without Pillow.

For every NAME.png, NAME.dump holds what was decoded: width, height, channels, the largest sample, then the samples; and
NAME.luma its grey values. NAME.small (if there is one) is its grey middle scaled to a size, which comes first. With
`write` as second argument, JPEG files are written instead, each beside NAME.dump with Pillow's own samples.
"""
import pathlib
import sys

try:
    from PIL import Image
except ImportError:
    sys.exit(77)
folder = pathlib.Path(sys.argv[1])


def flat(image):
    return list(image.tobytes())


if sys.argv[2:] == ["write"]:
    base = Image.effect_noise((40, 30), 60).resize((45, 31))
    colour = Image.merge("RGB", [base, base.rotate(90), base.transpose(0)])
    for name, image, options in [
        ("grey", base, {}),
        ("colour", colour, {"quality": 90}),
        ("progressive", colour, {"progressive": True}),
        ("full", colour, {"subsampling": 0}),
    ]:
        image.save(folder / f"{name}.jpg", **options)
        read = Image.open(folder / f"{name}.jpg")
        values = [read.width, read.height, len(read.getbands()), 255] + flat(read)
        (folder / f"{name}.dump").write_text(" ".join(map(str, values)))
    sys.exit(0)

compared = 0
for path in sorted(folder.glob("*.png")):
    width, height, channels, most, *samples = map(int, path.with_suffix(".dump").read_text().split())
    image = Image.open(path)
    assert image.size == (width, height), path
    if image.mode.startswith("I"):  # grey of 16 bits, perhaps with a transparent colour
        assert samples[::channels] == [image.getpixel((i % width, i // width)) for i in range(width * height)], path
    elif most == 65535:  # Pillow keeps the upper bytes
        mode = {2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        expected, got = flat(image.convert(mode)), [s >> 8 for s in samples]
        own = channels if len(image.getbands()) == channels else channels - 1  # a transparent colour is matched by 8 bits there
        same = [got[i] == expected[i] for i in range(len(got)) if i % channels < own]
        assert len(got) == len(expected) and all(same), path
    else:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        expected, low = flat(image.convert(mode)), channels == 2 and image.mode in ("1", "L")
        if low:  # below 8 bits Pillow looks for the transparent colour among scaled samples
            samples, expected = samples[::2], expected[::2]
        assert samples == expected, path
        if channels == 3:
            luma = list(map(int, path.with_suffix(".luma").read_text().split()))
            assert luma == flat(image.convert("RGB").convert("L")), path
    small = path.with_suffix(".small")
    if small.exists():
        size, *values = map(float, small.read_text().split())
        n, side = int(size), min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        expected = flat(image.convert("L").resize((n, n), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)))
        assert max(abs(a - b) for a, b in zip(values, expected)) <= 1.01, path
    compared += 1
assert compared >= 30, compared
