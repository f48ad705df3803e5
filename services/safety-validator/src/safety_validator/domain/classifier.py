"""The layer that reads a text by a model, window by window."""

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.safety import VerdictName
from embedding.freed_memory import give_back
from safety_validator.domain.calibration import Calibration
from safety_validator.domain.in_force import PolicyInForce
from safety_validator.domain.lanes import Lanes
from safety_validator.domain.ngrams import BUCKETS, ORDERS, NGrams
from safety_validator.domain.plain_text import PlainText
from safety_validator.domain.vocabulary import category
from safety_validator.domain.windows import STRIDE_TOKENS, sentences, windows
from safety_validator.errors import ClassifierUnavailable, ModelRefused
from safety_validator.metrics import WINDOWS_READ
from safety_validator.models import Finding, Span, Submission, Thresholds
from safety_validator.providers.encoder import Encoder, Stack
from servicekit.errors import AppError

__all__ = ["LAYER", "Classifier", "Model", "Reading"]

LAYER = "classifier"
HEADS = frozenset({"injection", "harm", "goal"})
# Up to here the tokens are found in the event loop: that takes 0.2 ms.
MAX_INLINE_CHARS = 2_048
# English has four characters a token; of a longer text so much is guessed.
CHARS_A_TOKEN = 4
# The n-grams of so many windows at once: a millisecond, and little memory.
WINDOWS_A_SLICE = 256
# An attack among harmless sentences is weaker than alone: of so many windows, those
# that come nearest to an alarm, each sentence is read by itself; of none that is as far
# from one as most are.
REREAD_WINDOWS = 6
REREAD_RATE = 0.2
# Beyond it e^-x is nothing, or too large.
_FARTHEST_LOGIT = 60.0


class _Window(NamedTuple):
    """Tokens [start, end) of a view, and what the n-grams say of them."""

    view: int
    start: int
    end: int
    words: tuple[float, ...]


_NOWHERE = _Window(0, 0, 0, ())
_NO_TOKENS = np.zeros(0, dtype=np.int32)
_END = object()


class _Head(NamedTuple):
    name: str
    stack: Stack
    calibration: Calibration


class Model:
    """An opened model: how texts become windows, and windows scores."""

    def __init__(self, encoder: Encoder) -> None:
        """Raises ModelRefused where its n-grams are not those of this program."""
        manifest = encoder.manifest
        table = manifest.ngrams
        if (table.buckets, table.orders) != (BUCKETS, ORDERS):
            raise ModelRefused("its n-grams are hashed in another way")
        if set(manifest.heads) != HEADS:
            raise ModelRefused(f"its heads are not {', '.join(sorted(HEADS))}")
        self.version = f"{manifest.name}-{manifest.version}"
        self.encoder = encoder
        self.heads = tuple(
            _Head(name, manifest.stack[name], Calibration(manifest.calibration[name]))
            for name in manifest.heads
        )
        # Else n-grams only order windows, and one alone needs no order.
        self.weighs_words = any(head.stack.ngrams for head in self.heads)
        self.no_words = (0.0,) * len(self.heads)
        self._ngrams = NGrams(
            encoder.ngram_weights,
            np.array(table.scales, dtype=np.float32),
            np.array(table.biases, dtype=np.float32),
        )

    def windows(
        self, ids: NDArray[np.int32], view: int, spans: Sequence[Span]
    ) -> list[_Window]:
        """Windows of a view's tokens, with what the n-grams say of each."""
        found: list[_Window] = []
        for at in range(0, len(spans), WINDOWS_A_SLICE):
            part = spans[at : at + WINDOWS_A_SLICE]
            first, last = part[0][0], part[-1][1]
            own = [(start - first, end - first) for start, end in part]
            words = self._ngrams.logits(ids[first:last], own).tolist()
            found += (
                _Window(view, *span, tuple(logits))
                for span, logits in zip(part, words, strict=True)
            )
        return found

    def scores(self, ids: NDArray[np.int32], window: _Window) -> list[float]:
        """A score from 0 to 1 for each head."""
        own = ids[window.start : window.end]
        if len(own) and (own == self.encoder.unknown).all():
            # Signs it has no words for: whatever it said would mean nothing.
            return [0.0] * len(self.heads)
        logits = self.encoder.logits(own)
        WINDOWS_READ.inc()
        return [
            _sigmoid(stack.model * model + stack.ngrams * words + stack.bias)
            for (_, stack, _), model, words in zip(
                self.heads, logits, window.words, strict=True
            )
        ]


class Reading:
    """One text on its way through the model: the most suspicious window first."""

    def __init__(
        self, model: Model, views: Sequence[PlainText], limits: Sequence[Thresholds]
    ) -> None:
        """`views` are those of one text, `limits` has the rates for each head."""
        self._model = model
        self._views = views
        self._limits = limits
        self._ids: list[NDArray[np.int32]] = []
        self._ends: list[list[int]] = []
        # For each head the worst score, and where it is.
        self._worst = [(-1.0, _NOWHERE)] * len(limits)
        self._tokens = self._find_tokens()
        self._steps = self._read()
        self.findings: list[Finding] = []
        chars = sum(len(view.text) for view in views)
        self.windows_left = 1 + chars // (CHARS_A_TOKEN * STRIDE_TOKENS)
        if chars <= MAX_INLINE_CHARS:
            deque(self._tokens, maxlen=0)

    def step(self) -> bool:
        """Reads a window, or prepares that; True when `findings` are complete."""
        return next(self._steps, _END) is _END

    def _find_tokens(self) -> Iterator[None]:
        for view in self._views:
            parts = [_NO_TOKENS]
            for part in self._model.encoder.ids(view.text):
                parts.append(part)
                yield
            ids = np.concatenate(parts)
            self._ids.append(ids)
            self._ends.append(self._model.encoder.ends(ids).tolist())
        self.windows_left = sum(map(len, self._spans()))

    def _spans(self) -> Iterator[list[Span]]:
        for ids, ends in zip(self._ids, self._ends, strict=True):
            yield windows(len(ids), ends)

    def _read(self) -> Iterator[None]:
        yield from self._tokens
        once: list[tuple[float, _Window]] = []
        for window in self._each(self._suspects()):
            if once:
                yield
            rate = self._alarm(window)
            if rate is None:
                break
            once.append((rate, window))
        else:
            for window in self._each(self._sentences(once)):
                yield
                if self._alarm(window) is None:
                    break
        self.findings = list(self._found())

    def _each(self, waiting: list[_Window]) -> Iterator[_Window]:
        while waiting:
            self.windows_left = len(waiting)
            yield waiting.pop()

    def _alarm(self, window: _Window) -> float | None:
        """Reads it: the lowest false-alarm rate of its scores, None if one blocks."""
        scores = self._model.scores(self._ids[window.view], window)
        for head, score in enumerate(scores):
            if score > self._worst[head][0]:
                self._worst[head] = score, window
        if VerdictName.BLOCK in map(self._verdict, range(len(scores)), scores):
            return None
        heads = zip(self._model.heads, scores, strict=True)
        return min(head.calibration.rate(score) for head, score in heads)

    def _sentences(self, once: Sequence[tuple[float, _Window]]) -> list[_Window]:
        """Those of the windows that came nearest to an alarm, the nearest last.

        A text of one window was read as the model is trained to read it.
        """
        near = [
            (rate, window)
            for rate, window in once
            if rate <= REREAD_RATE
            and window.end - window.start < len(self._ids[window.view])
        ]
        nearest = heapq.nsmallest(REREAD_WINDOWS, near, key=lambda read: read[0])
        found = [
            sentence
            for _, (view, start, end, _) in nearest
            for sentence in self._windows(
                view, sentences((start, end), self._ends[view])
            )
        ]
        found.reverse()
        return found

    def _windows(self, view: int, spans: Sequence[Span]) -> list[_Window]:
        return self._model.windows(self._ids[view], view, spans)

    def _suspects(self) -> list[_Window]:
        """All windows of all views that say something new, the most suspicious last."""
        if self.windows_left == 1 and not self._model.weighs_words:
            return [_Window(0, 0, len(self._ids[0]), self._model.no_words)]
        plain = self._ids[0].tobytes()
        found = [
            window
            for view, spans in enumerate(self._spans())
            for window in self._windows(view, spans)
            if view == 0 or not self._stands_in(plain, window)
        ]
        # Of equals the first in the text is read first.
        found.reverse()
        found.sort(key=lambda window: max(window.words))
        return found

    def _stands_in(self, plain: bytes, window: _Window) -> bool:
        """Whether the plain text has the same tokens: what is near a disguise."""
        own = self._ids[window.view][window.start : window.end]
        at = plain.find(own.tobytes())
        return at >= 0 and at % own.itemsize == 0

    def _verdict(self, head: int, score: float) -> VerdictName:
        rate = self._model.heads[head].calibration.rate(score)
        if rate <= self._limits[head].block:
            return VerdictName.BLOCK
        if rate <= self._limits[head].flag:
            return VerdictName.FLAG
        return VerdictName.ALLOW

    def _found(self) -> Iterator[Finding]:
        """For each head that raises an alarm its worst window."""
        for head, (score, window) in enumerate(self._worst):
            verdict = self._verdict(head, score)
            if verdict is VerdictName.ALLOW:
                continue
            name = self._model.heads[head].name
            view = self._views[window.view]
            start, end = self._model.encoder.place(
                view.text, (window.start, window.end)
            )
            yield Finding(
                category(name, view.text[start:end]),
                verdict,
                score,
                LAYER,
                f"{LAYER}.{name}",
                view.original((start, end)) if end else None,
            )


class Classifier:
    """The layer: by the policy's thresholds, where it has any for a classifier."""

    def __init__(self, folder: Path, policy: PolicyInForce) -> None:
        self._folder = folder
        self._policy = policy
        self._wanted = asyncio.Event()
        self._lack = "the model is being loaded"
        self._model: Model | None = None
        self._lanes: Lanes | None = None

    @property
    def version(self) -> str | None:
        """Which model judges; None while it is away, empty where no policy asks."""
        if self._policy.current[0].classifier is None:
            return ""
        return None if self._model is None else self._model.version

    async def open(self) -> None:
        """Loads the model as soon as a policy needs it; raises ModelRefused."""
        if self._policy.current[0].classifier is None:
            await self._wanted.wait()
        try:
            model = await asyncio.to_thread(_loaded, self._folder)
        except ModelRefused as error:
            self._lack = str(error)
            raise
        self._lanes = Lanes()
        self._model = model

    def close(self) -> None:
        """Ends the threads; what they have not read gets no verdict."""
        self._model = None
        if self._lanes is not None:
            self._lanes.close()

    async def check(self) -> str | None:
        """For readiness: what is missing, if the policy in force needs it."""
        if self._policy.current[0].classifier is None:
            return None
        try:
            self._opened()
        except ClassifierUnavailable as error:
            return error.detail
        return None

    async def read(
        self, submission: Submission, views: Sequence[PlainText]
    ) -> Sequence[Finding]:
        """At most one finding a head: its worst window of all views.

        Raises:
            ClassifierUnavailable: there is no model, or it fails.
            Overloaded: too many texts wait.
        """
        policy = self._policy.current[0]
        if policy.classifier is None:
            return ()
        model, lanes = self._opened()
        limits = [
            policy.thresholds(head.name, submission.kind, submission.agent_id)
            for head in model.heads
        ]
        try:
            reading = Reading(model, views, limits)
            await lanes.do(reading)
        except AppError:
            raise
        except Exception as error:
            raise ClassifierUnavailable(f"a text was not read: {error!r}") from error
        return reading.findings

    def _opened(self) -> tuple[Model, Lanes]:
        self._wanted.set()
        if self._model is None or self._lanes is None:
            raise ClassifierUnavailable(self._lack)
        if not self._lanes.alive:
            raise ClassifierUnavailable("a thread of the classifier has ended")
        return self._model, self._lanes


def _loaded(folder: Path) -> Model:
    model = Model(Encoder(folder))
    give_back()
    return model


def _sigmoid(logit: float) -> float:
    bounded = max(-_FARTHEST_LOGIT, min(_FARTHEST_LOGIT, logit))
    return 1 / (1 + math.exp(-bounded))
