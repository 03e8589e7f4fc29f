#!/bin/sh
# optax 0.2.8 with jax 0.10.2: the global norm adds the leaves' sums of squares in the leaves' own type. With bfloat16 gradients the
# sum stands still at 256 (256 + 1 rounds to 256), so a tree of 1,000 leaves of one element 1.0, whose norm is 31.62,
# is said to have norm 16, and clip_by_global_norm(1.0) lets a gradient of norm 1.98 through. The more leaves a model has,
# the less it is clipped. Compute the norm in float32 (cast the tree first) where gradients are bfloat16.
#
# Seen on 2026-11-29:
#   leaves 1000: global_norm 16.0, true 31.62, after clipping to 1.0: 1.98
#   leaves 1000, cast to float32 first: global_norm 31.62
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/env/bin/python" - <<'PY'
import sys
import jax
import jax.numpy as jnp
import optax

leaves = [jnp.ones((1,), jnp.bfloat16) for _ in range(1000)]
said, true = float(optax.global_norm(leaves)), 1000**0.5
clip = optax.clip_by_global_norm(1.0)
clipped, _ = clip.update(leaves, clip.init(leaves))
left = sum(float(leaf[0]) ** 2 for leaf in clipped) ** 0.5
print(f"leaves 1000: global_norm {said}, true {true:.2f}, after clipping to 1.0: {left:.2f}")
wide = float(optax.global_norm(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), leaves)))
print(f"leaves 1000, cast to float32 first: global_norm {wide:.2f}")
sys.exit(not (said == 16.0 and left > 1.9 and abs(wide - true) < 0.01))
PY
