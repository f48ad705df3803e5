"""The descent: AdamW over the layers and heads, with checkpoints to go on from."""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from safety_validator.domain.ngrams import NGrams
from training.batches import Batch, epoch
from training.data import Text
from training.encoder import Parameters, logits

__all__ = ["train"]

# What the descent was tried with; more epochs learn the sources by heart.
EPOCHS = 3
SAMPLES_AN_EPOCH = 30_000
PEAK_RATE = 1.5e-4
WARM_UP_SHARE = 0.06
DECAY = 0.01
# Labels of such data are not all right.
SMOOTHING = 0.02
# From this share of the way on, products are rounded as in the shipped graph.
ROUNDED_FROM = 0.6
STEPS_A_CHECKPOINT = 100

Table = dict[str, jax.Array]


def train(
    texts: Sequence[Text],
    ngrams: NGrams,
    table: Table,
    begin: Parameters,
    folder: Path,
    seed: int,
) -> Parameters:
    """The trained parameters; goes on from a checkpoint in the folder."""
    epochs = [
        partial(epoch, texts, ngrams, SAMPLES_AN_EPOCH, seed + number)
        for number in range(EPOCHS)
    ]
    steps_an_epoch = sum(1 for _ in epochs[0]())
    total = steps_an_epoch * EPOCHS
    optimizer = _optimizer(total)
    state: Any = (begin, optimizer.init(begin))
    done, state = _resumed(folder, state)
    step = _step(optimizer, table)
    progress = _Progress(total, done)
    for number, batches in enumerate(epochs):
        for at, batch in enumerate(batches(), number * steps_an_epoch):
            if at < done:
                continue
            rounded = at >= total * ROUNDED_FROM
            key = jax.random.fold_in(jax.random.key(seed), at)
            state, loss = step(state, batch, rounded, key)
            progress.show(at, float(loss))
            if (at + 1) % STEPS_A_CHECKPOINT == 0:
                _save(folder, at + 1, state)
    return state[0]  # type: ignore[no-any-return]


def _optimizer(total: int) -> optax.GradientTransformation:
    warm_up = int(total * WARM_UP_SHARE)
    rate = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, warm_up, total, 0.0)
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, weight_decay=DECAY, b2=0.98),
    )


def _step(optimizer: optax.GradientTransformation, table: Table) -> Any:
    def loss(
        parameters: Parameters, batch: Batch, rounded: bool, key: jax.Array
    ) -> jax.Array:
        found = logits(parameters, table, batch.ids, batch.mask, rounded, key)
        known = batch.labels >= 0
        told = jnp.clip(batch.labels, SMOOTHING, 1 - SMOOTHING)
        each = optax.sigmoid_binary_cross_entropy(found, told)
        return (each * known).sum() / jnp.maximum(known.sum(), 1)

    @partial(jax.jit, static_argnums=2, donate_argnums=0)
    def step(state: Any, batch: Batch, rounded: bool, key: jax.Array) -> Any:
        parameters, optimized = state
        value, gradient = jax.value_and_grad(loss)(parameters, batch, rounded, key)
        change, optimized = optimizer.update(gradient, optimized, parameters)
        return (optax.apply_updates(parameters, change), optimized), value

    return step


def _save(folder: Path, done: int, state: Any) -> None:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    beside = folder / "checkpoint.new.npz"
    np.savez(beside, done=done, **{str(n): leaf for n, leaf in enumerate(leaves)})
    beside.replace(folder / "checkpoint.npz")


def _resumed(folder: Path, state: Any) -> tuple[int, Any]:
    path = folder / "checkpoint.npz"
    if not path.exists():
        return 0, state
    with np.load(path) as saved:
        leaves, shape = jax.tree.flatten(state)
        told = [jnp.asarray(saved[str(number)]) for number in range(len(leaves))]
        done = int(saved["done"])
    print(f"going on from step {done}", file=sys.stderr)
    return done, jax.tree.unflatten(shape, told)


class _Progress:
    """A line now and then: where the descent is, and how long it will take."""

    def __init__(self, total: int, done: int) -> None:
        self._total = total
        self._first = done
        self._began_s = time.monotonic()
        self._mean: float | None = None

    def show(self, at: int, loss: float) -> None:
        self._mean = loss if self._mean is None else 0.98 * self._mean + 0.02 * loss
        if at % 20:
            return
        took_s = (time.monotonic() - self._began_s) / (at + 1 - self._first)
        left_min = (self._total - at) * took_s / 60
        line = {
            "step": at,
            "of": self._total,
            "loss": round(self._mean, 4),
            "step_s": round(took_s, 2),
            "left_min": round(left_min, 1),
        }
        print(json.dumps(line), file=sys.stderr, flush=True)
