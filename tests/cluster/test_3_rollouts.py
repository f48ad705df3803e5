"""An upgrade while thoughts flow and callers call."""

from collections.abc import Callable

import pytest
from tests.support.cluster.installation import (
    SERVICES,
    STREAMS,
    Installation,
    assert_unbroken,
)
from tests.support.cluster.measure import upgrade_under_load
from tests.support.cluster.namespace import name_of

ANSWERED = 0.999
NEW_PODS = [
    f"{service}.podAnnotations.rollout=second"
    for service in ("thoughtGenerator", "memoryService", "safetyValidator")
]


@pytest.mark.timeout(600)
def test_an_upgrade_loses_no_request_and_no_thought(
    mind: Installation, figure: Callable[[str, str], None]
) -> None:
    before = {name_of(pod) for pod in mind.namespace.pods(*SERVICES)}
    chains = {stream: mind.chain(stream) for stream in STREAMS}

    outcome = upgrade_under_load(mind, *NEW_PODS)

    figure("rolling upgrade", outcome.summary)
    assert not before & {name_of(pod) for pod in mind.namespace.pods(*SERVICES)}
    assert not outcome.failed_idempotent, outcome.reasons
    assert outcome.share_answered >= ANSWERED
    for stream, chain in chains.items():
        after = mind.chain(stream)
        assert_unbroken(after)
        assert after[: len(chain)] == chain
        assert len(after) > len(chain)
