"""Fits the n-gram regression that chooses the windows the model reads first."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from safety_validator.domain.ngrams import BUCKETS, NGrams, buckets
from safety_validator.domain.windows import SINGLE_TOKENS
from training.data import UNKNOWN, Text, cut

__all__ = ["fit"]

EPOCHS = 6
BATCH = 512
RATE = 0.05
DECAY = 1e-5
# Texts longer than this teach the regression by their first windows only.
MOST_WINDOWS = 4
# The most n-grams of three orders in one window; empty places point beside the table.
_WIDTH = 3 * SINGLE_TOKENS


def fit(texts: Sequence[Text], heads: int, seed: int) -> NGrams:
    """A regression that gives a logit for each head, from windows of the texts."""
    pairs = [
        (ids, text.labels)
        for text in texts
        for ids in list(cut(text))[:MOST_WINDOWS]
        if len(ids)
    ]
    hashed = np.full((len(pairs), _WIDTH), BUCKETS, dtype=np.int32)
    for row, (ids, _) in zip(hashed, pairs, strict=True):
        found = np.concatenate(list(buckets(ids)))
        row[: len(found)] = found
    labels = np.array([labels for _, labels in pairs], dtype=np.float32)
    weights, biases = _descend(hashed, labels, heads, seed)
    scales = np.abs(weights).max(axis=0) / 127
    steps = np.rint(weights / scales).astype(np.int8)
    return NGrams(steps, scales.astype(np.float32), biases.astype(np.float32))


def _descend(
    hashed: NDArray[np.int32], labels: NDArray[np.float32], heads: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    optimizer = optax.adamw(RATE, weight_decay=DECAY)
    values = {"weights": jnp.zeros((BUCKETS + 1, heads)), "biases": jnp.zeros(heads)}
    state = optimizer.init(values)
    known = (labels != UNKNOWN).sum(0)
    balance = (labels == 0).sum(0) / np.maximum((labels == 1).sum(0), 1)
    positive = np.minimum(np.sqrt(balance), 4) * len(labels) / known

    def loss(
        values: dict[str, jax.Array], rows: jax.Array, told: jax.Array
    ) -> jax.Array:
        inside = rows < BUCKETS
        sums = (values["weights"][rows] * inside[..., jnp.newaxis]).sum(1)
        count = jnp.sqrt(jnp.maximum(inside.sum(1), 1))[:, jnp.newaxis]
        found = sums / count + values["biases"]
        each = optax.sigmoid_binary_cross_entropy(found, told)
        weight = jnp.where(told > 0.5, positive, 1.0) * (told >= 0)
        return (each * weight).sum() / len(rows)

    @jax.jit
    def step(values, state, rows, told):  # type: ignore[no-untyped-def]
        gradient = jax.grad(loss)(values, rows, told)
        change, state = optimizer.update(gradient, state, values)
        return optax.apply_updates(values, change), state

    chance = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = chance.permutation(len(hashed))
        for begin in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[begin : begin + BATCH]
            values, state = step(values, state, hashed[chosen], labels[chosen])
    return np.asarray(values["weights"])[:BUCKETS], np.asarray(values["biases"])
