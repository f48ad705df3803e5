"""MiniLM in JAX, rounded as the shipped graph rounds, so that training sees it.

Weights: a scale for each output; activations: one for each token, but for the channels
that the graph multiplies in float32 (docs/decisions/0003). What is rounded passes the
gradient on unchanged (straight-through: Bengio et al., 2013).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from embedding.build.blocks import quantise
from embedding.build.encoder import OUTLIERS
from embedding.build.safetensors import Tensor
from training.artefact import BLOCK_SIZE, MAX_TOKENS

__all__ = ["Parameters", "embed_table", "logits", "start"]

Array = jax.Array
Parameters = dict[str, Array]

HEADS_COUNT = 12
LAYERS = 6
DIMENSION = 384
EPSILON = 1e-12
_LARGEST_STEP = 127.0
_INNER = np.ones(DIMENSION, dtype=np.float32)
_INNER[list(OUTLIERS)] = 0


def start(tensors: dict[str, Tensor], heads: int, seed: int) -> Parameters:
    """The official weights of the layers, and heads that know nothing."""
    parameters = {
        name: jnp.asarray(np.array(tensor))
        for name, tensor in tensors.items()
        if name.startswith("encoder.layer.")
    }
    spread = 0.02
    noise = jax.random.normal(jax.random.key(seed), (heads, DIMENSION))
    return {
        **parameters,
        "heads.weight": noise * spread,
        "heads.bias": jnp.zeros(heads),
    }


def embed_table(tensors: dict[str, Tensor]) -> dict[str, Array]:
    """What comes before the layers; it stays as it is, and as it is shipped."""
    words = tensors["embeddings.word_embeddings.weight"]
    blocks = quantise(np.array(words), BLOCK_SIZE)
    steps = blocks.steps.astype(np.float32) - 128
    table = (steps * blocks.scales[:, :, np.newaxis]).reshape(words.shape)
    places = tensors["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    segment = tensors["embeddings.token_type_embeddings.weight"][0]
    return {
        "words": jnp.asarray(table),
        "places": jnp.asarray(places + segment),
        "scale": jnp.asarray(np.array(tensors["embeddings.LayerNorm.weight"])),
        "shift": jnp.asarray(np.array(tensors["embeddings.LayerNorm.bias"])),
    }


def logits(
    parameters: Parameters,
    table: dict[str, Array],
    ids: Array,
    mask: Array,
    rounded: bool,
    key: Array | None,
) -> Array:
    """Logits of shape (texts, heads) for ids and mask of shape (texts, tokens)."""
    words = table["words"][ids] + table["places"][: ids.shape[1]]
    hidden = _norm(words, table["scale"], table["shift"])
    for layer in range(LAYERS):
        hidden = _layer(parameters, f"encoder.layer.{layer}", hidden, mask, rounded)
    weights = mask[:, :, jnp.newaxis]
    mean = (hidden * weights).sum(1) / weights.sum(1)
    if key is not None:
        kept = jax.random.bernoulli(key, 0.9, mean.shape)
        mean = jnp.where(kept, mean / 0.9, 0)
    return mean @ parameters["heads.weight"].T + parameters["heads.bias"]


def _layer(
    parameters: Parameters, name: str, hidden: Array, mask: Array, rounded: bool
) -> Array:
    wide = partial(_product, parameters, rounded=rounded, outliers=True)
    narrow = partial(_product, parameters, rounded=rounded, outliers=False)
    attention = f"{name}.attention"
    parts = [
        _parted(wide(f"{attention}.self.{part}", hidden))
        for part in ("query", "key", "value")
    ]
    attended = _attend(*parts, mask)
    output = narrow(f"{attention}.output.dense", attended)
    hidden = _normed(parameters, f"{attention}.output.LayerNorm", output + hidden)
    active = jax.nn.gelu(wide(f"{name}.intermediate.dense", hidden), approximate=False)
    output = narrow(f"{name}.output.dense", active)
    return _normed(parameters, f"{name}.output.LayerNorm", output + hidden)


def _parted(values: Array) -> Array:
    texts, tokens, _ = values.shape
    return values.reshape(texts, tokens, HEADS_COUNT, -1)


def _attend(query: Array, key: Array, value: Array, mask: Array) -> Array:
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(query.shape[-1])
    scores = jnp.where(mask[:, jnp.newaxis, jnp.newaxis, :] > 0, scores, -1e9)
    shares = jax.nn.softmax(scores, axis=-1)
    return jnp.einsum("bhqk,bkhd->bqhd", shares, value).reshape(*mask.shape, -1)


def _product(
    parameters: Parameters, name: str, values: Array, rounded: bool, outliers: bool
) -> Array:
    weights, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    if not rounded:
        return values @ weights.T + bias
    if not outliers:
        return _round(values) @ _round(weights).T + bias
    inner = _round(values * _INNER) @ _round(weights * _INNER).T
    apart = jnp.asarray(OUTLIERS)
    return inner + values[..., apart] @ weights[:, apart].T + bias


def _round(values: Array) -> Array:
    scale = jnp.maximum(jnp.abs(values).max(-1, keepdims=True), 1e-20) / _LARGEST_STEP
    steps = jnp.round(values / scale) * scale
    return values + jax.lax.stop_gradient(steps - values)


def _normed(parameters: Parameters, name: str, values: Array) -> Array:
    return _norm(values, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def _norm(values: Array, scale: Array, shift: Array) -> Array:
    centred = values - values.mean(-1, keepdims=True)
    spread = jnp.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
    return centred / spread * scale + shift


def as_numpy(parameters: Parameters) -> dict[str, Any]:
    """The parameters outside JAX."""
    return {name: np.asarray(value) for name, value in parameters.items()}
