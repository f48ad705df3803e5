"""Random weights in the official layout, and the plain arithmetic they stand for."""

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.build.encoder import Tensors
from embedding.manifest import DIMENSION
from embedding.wordpiece import MAX_TOKENS

Array = NDArray[np.float32]

VOCABULARY = ["[UNK]", "[CLS]", "[SEP]", *"abcdefghij.", "##a", "##b", "##c"]
LAYERS = 2
WIDE = 768
HEADS = 12


def make_tensors(seed: int) -> Tensors:
    """Weights large enough that each token attends to some and not to others."""
    random = np.random.default_rng(seed)

    def draw(*shape: int, scale: float = 0.1, around: float = 0.0) -> Array:
        return random.normal(around, scale, shape).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": draw(len(VOCABULARY), DIMENSION),
        "embeddings.position_embeddings.weight": draw(2 * MAX_TOKENS, DIMENSION),
        "embeddings.token_type_embeddings.weight": draw(2, DIMENSION),
    }
    products = {
        "attention.self.query": (DIMENSION, DIMENSION),
        "attention.self.key": (DIMENSION, DIMENSION),
        "attention.self.value": (DIMENSION, DIMENSION),
        "attention.output.dense": (DIMENSION, DIMENSION),
        "intermediate.dense": (WIDE, DIMENSION),
        "output.dense": (DIMENSION, WIDE),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        for name, shape in products.items():
            tensors[f"encoder.layer.{layer}.{name}.weight"] = draw(*shape)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = draw(shape[0], scale=0.3)
        norms += [f"encoder.layer.{layer}.{n}.LayerNorm" for n in _NORMED]
    for norm in norms:
        tensors[f"{norm}.weight"] = draw(DIMENSION, scale=0.3, around=1.0)
        tensors[f"{norm}.bias"] = draw(DIMENSION, scale=0.3)
    return tensors


_NORMED = ("attention.output", "output")


def encode(tensors: Tensors, ids: list[int]) -> Array:
    """The vector of one text in float32, written after the BERT paper."""
    places = len(ids)
    hidden = (
        tensors["embeddings.word_embeddings.weight"][ids]
        + tensors["embeddings.position_embeddings.weight"][:places]
        + tensors["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = _normalise(hidden, tensors, "embeddings")
    layers = sum(name.endswith("query.weight") for name in tensors)
    for layer in range(layers):
        hidden = _run_layer(hidden, tensors, f"encoder.layer.{layer}")
    mean = hidden.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def _run_layer(hidden: Array, tensors: Tensors, layer: str) -> Array:
    attended = _attend(hidden, tensors, f"{layer}.attention.self")
    mixed = _multiply(attended, tensors, f"{layer}.attention.output.dense")
    hidden = _normalise(mixed + hidden, tensors, f"{layer}.attention.output")
    widened = _multiply(hidden, tensors, f"{layer}.intermediate.dense")
    narrowed = _multiply(_gelu(widened), tensors, f"{layer}.output.dense")
    return _normalise(narrowed + hidden, tensors, f"{layer}.output")


def _attend(hidden: Array, tensors: Tensors, attention: str) -> Array:
    query, key, value = (
        _multiply(hidden, tensors, f"{attention}.{part}")
        .reshape(len(hidden), HEADS, -1)
        .transpose(1, 0, 2)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    attended: Array = weights @ value
    return attended.transpose(1, 0, 2).reshape(hidden.shape)


def _multiply(values: Array, tensors: Tensors, name: str) -> Array:
    product: Array = values @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]
    return product


def _normalise(values: Array, tensors: Tensors, block: str) -> Array:
    centred = values - values.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    scaled = centred / deviation * tensors[f"{block}.LayerNorm.weight"]
    normalised: Array = scaled + tensors[f"{block}.LayerNorm.bias"]
    return normalised


def _gelu(values: Array) -> Array:
    error = np.vectorize(math.erf, otypes=[np.float32])(values / math.sqrt(2))
    activated: Array = values * (1 + error) / 2
    return activated


def write_safetensors(path: Path, tensors: Tensors) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in tensors.items():
        raw = tensor.tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": tensor.shape,
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
