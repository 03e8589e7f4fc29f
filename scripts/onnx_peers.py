"""What tests that need onnxruntime share: NumPy and onnxruntime from this Python or from the one that GLISSADE_PEERS names (None
without them), sessions, and a text."""
import os
import sys

try:
    import numpy
    import onnxruntime
except ImportError:
    peers = os.environ.get("GLISSADE_PEERS")
    if peers and os.path.abspath(peers) != os.path.abspath(sys.executable):  # both may be links to one Python
        os.execv(peers, [peers, *sys.argv])
    numpy = onnxruntime = None


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def text(path, seed, size):
    """Bytes that are not quite random."""
    state, out = seed, bytearray()
    for _ in range(size):
        state = (1103515245 * state + 12345) % 2**31
        out.append(97 + (out[-1] - 97 + state // 65536 % 3) % 26 if out else 97)
    path.write_bytes(bytes(out))
