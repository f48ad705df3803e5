"""What the classifier learns from: the same each time, and sources apart."""

import itertools
from collections import Counter

import numpy as np
import pytest
from training.batches import FIRST, LAST, LENGTHS, epoch
from training.contrasts import contrasts
from training.data import HELD_OUT, OPERATIONAL, Split, Tokenizer, split

from embedding import default_folder
from embedding.manifest import VOCABULARY_FILE
from safety_validator.domain.ngrams import BUCKETS, NGrams

LONG = "The harbour was quiet and the nets were dry. " * 40


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    vocabulary = (default_folder() / VOCABULARY_FILE).read_text(encoding="utf-8")
    return Tokenizer(vocabulary.split("\n"))


@pytest.fixture(scope="module")
def parts(tokenizer: Tokenizer) -> Split:
    rows: list[dict[str, object]] = [
        {"src": source, "text": f"Text {number} of {source}. " * 3, **labels}
        for source, labels in (
            ("gptfuzzer", {"inj": 1}),
            ("inthewild", {"inj": 1}),
            ("advbench", {"harm": 1}),
            ("sentences", {"inj": 0, "harm": 0}),
        )
        for number in range(200)
    ]
    rows += [
        {"src": "t0_docs", "text": f"{n} {LONG}", "inj": 0, "harm": 0} for n in range(9)
    ]
    return split(rows, tokenizer)


def test_contrasts_are_the_same_each_time_and_of_both_kinds() -> None:
    rows = list(contrasts())
    assert rows == list(contrasts())
    labels = Counter(
        (label, row[label])
        for row in rows
        for label in ("inj", "harm", "goal")
        if label in row
    )
    assert all(labels[label, 1] > 100 for label in ("inj", "harm", "goal"))
    assert all(labels[label, 0] > 100 for label in ("inj", "harm", "goal"))
    assert not [row for row in rows if "{" in str(row["text"])]


def test_sources_that_are_held_out_are_not_learnt_from(parts: Split) -> None:
    assert {text.source for text in parts.held_out} == {"gptfuzzer"}
    assert not {text.source for text in parts.learnt} & HELD_OUT


def test_a_share_of_ordinary_text_is_kept_to_measure_on(parts: Split) -> None:
    kept = [text for text in parts.operational if text.source == "sentences"]
    assert 40 < len(kept) < 100
    assert {text.source for text in parts.operational} <= OPERATIONAL
    learnt = {text.content for text in parts.learnt}
    assert not learnt & {text.content for text in parts.operational}


def test_an_epoch_is_the_same_for_a_seed_and_another_for_the_next(
    parts: Split,
) -> None:
    ngrams = NGrams(
        np.zeros((BUCKETS, 3), dtype=np.int8),
        np.ones(3, dtype=np.float32),
        np.zeros(3, dtype=np.float32),
    )
    first, again, other = (
        list(itertools.islice(epoch(parts.learnt, ngrams, 2_000, seed), 5))
        for seed in (1, 1, 2)
    )
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.ids, same.ids)
    assert any(
        one.ids.shape != new.ids.shape or (one.ids != new.ids).any()
        for one, new in zip(first, other, strict=True)
    )
    for batch in first:
        assert batch.ids.shape[1] in LENGTHS
        assert (batch.ids[:, 0] == FIRST).all()
        ends = batch.mask.sum(axis=1).astype(int) - 1
        assert (batch.ids[np.arange(len(ends)), ends] == LAST).all()
        assert set(np.unique(batch.labels)) <= {-1.0, 0.0, 1.0}
