"""Writes arrays of every type of NumPy's that Glissade reads: usage npy_write.py FOLDER. Exits with 77 without NumPy.

Each is written as TYPE.npy beside TYPE.txt, its values in C99 hexadecimal; types are written little- and big-endian, in C
and in Fortran order. Also x.npz, packed.npz (compressed) and texts U.npy, S.npy.
"""
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)
folder = sys.argv[1]
rng = np.random.default_rng(3)
for code in ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]:
    for order in "<>":
        dtype = np.dtype(code).newbyteorder(order)
        if dtype.kind == "f":
            values = rng.standard_normal(23) * 10.0 ** rng.integers(-4, 4, 23)
            values[:3] = [6.0e-8, -65504, 0]  # the smallest and largest of 16 bits
        else:
            least, most = (0, 1) if code == "?" else (np.iinfo(dtype).min, min(np.iinfo(dtype).max, 2**63 - 1))
            values = rng.integers(least, most, 24, dtype=np.int64, endpoint=True)[:23]
            values[:2] = [least, most]
        array = np.resize(values.astype(dtype), (4, 6))
        name = f"{folder}/{code.replace('?', 'b1')}{'le' if order == '<' else 'be'}"
        np.save(name + ".npy", array)
        np.save(name + "f.npy", np.asfortranarray(array))
        with open(name + ".txt", "w") as out:
            out.write(" ".join(float(v).hex() for v in array.ravel()))
names = np.array(["dog", "", "Zürich 猫 🐈", "cat"])
np.save(f"{folder}/U.npy", names.astype(names.dtype.newbyteorder(">")))
np.save(f"{folder}/S.npy", np.array([b"dog", b"", b"a longer one", b"cat"]))
x = rng.standard_normal((4, 3)).astype("f4")
np.savez(f"{folder}/x.npz", x_train=x, y_train=names, x_test=x[:2], y_test=names[:2], other=np.arange(5))
np.savez_compressed(f"{folder}/packed.npz", x, np.array([3, 1, 3, 2], "i2"))
np.save(f"{folder}/x.npy", x)
