"""Disguises through the service's door, and what they cost ordinary text."""

import gzip
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.support.disguises import DISGUISES, PAYLOADS
from tests.support.validator import serving

from contracts.safety import MAX_BATCH_ITEMS
from safety_validator.domain.judge import Judge
from safety_validator.domain.policy import open_policy
from safety_validator.domain.views import views
from safety_validator.settings import Settings

LEAST_SHARE = 0.98
SAMPLE = 20_000
# Entities that a page left, accented names: a view for each, a finding for none.
MOST_VIEWS_SHARE = 0.005


@pytest_asyncio.fixture(scope="module")
async def api(dsn: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(dsn) as service, service.client(None) as client:
        yield client


async def test_known_payloads_are_found_under_every_disguise(
    api: httpx2.AsyncClient,
) -> None:
    cases = [(name, DISGUISES[name](text)) for name in DISGUISES for text in PAYLOADS]
    found: Counter[str] = Counter()
    for batch in batches(cases):
        items = [{"content": content, "kind": "context"} for _, content in batch]
        answer = await api.post("/api/safety/validate/batch", json={"items": items})
        for (name, content), told in zip(batch, answer.json()["results"], strict=True):
            found[name] += told["verdict"] == "block"
            for hit in told["categories"]:
                assert hit["span"] is None or hit["span"][1] <= len(content)
    print({name: f"{found[name]}/{len(PAYLOADS)}" for name in DISGUISES})
    assert all(found[name] >= LEAST_SHARE * len(PAYLOADS) for name in DISGUISES), found


def batches(cases: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for at in range(0, len(cases), MAX_BATCH_ITEMS):
        yield cases[at : at + MAX_BATCH_ITEMS]


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """Ordinary sentences beside the checkout, or in SHARED_DIR."""
    beside = Path(__file__).parents[4] / "shared"
    file = Path(os.environ.get("SHARED_DIR") or beside) / "data/corpus/sentences.txt.gz"
    if not file.is_file():
        pytest.skip("needs evaluation data: set SHARED_DIR")
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    return random.Random(7).sample(lines, SAMPLE)


def test_ordinary_text_is_found_nothing_more_in(sentences: list[str]) -> None:
    settings = Settings.model_validate({"database_url": "postgresql://"})
    judge: Judge = open_policy(settings.policy_file.read_bytes())[1]
    several = [read for text in sentences if len(read := views(text)) > 1]
    more = [
        read[0].text
        for read in several
        if {f.rule for f in judge.findings(read)}
        - {f.rule for f in judge.findings(read[:1])}
    ]
    print(f"{len(several)} of {SAMPLE} have further views; found more in: {more}")
    assert len(several) <= MOST_VIEWS_SHARE * SAMPLE
    assert more == []
