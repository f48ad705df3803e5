"""`helm install` on an empty namespace: healthy, thinking, small."""

from collections.abc import Callable

from tests.support.cluster.installation import Installation, assert_unbroken
from tests.support.cluster.measure import first_thought_s, idle_use
from tests.support.cluster.waiting import eventually

INSTALL_S = 60.0
FIRST_THOUGHT_S = 15.0
IDLE_MIB = 1024.0
IDLE_MILLIS = 250.0

Figure = Callable[[str, str], None]


def test_one_command_makes_it_healthy(
    mind: Installation, installed_in_s: float, figure: Figure
) -> None:
    figure("helm install --wait", f"{installed_in_s:.1f} s")
    assert installed_in_s <= INSTALL_S


def test_it_thinks_soon(mind: Installation, figure: Figure) -> None:
    took_s = first_thought_s(mind)
    figure("first thought after that", f"{took_s:.1f} s")
    assert took_s <= FIRST_THOUGHT_S


def test_thoughts_flow(mind: Installation) -> None:
    before = len(mind.chain())
    told = mind.call("POST", "/api/memory", {"content": "Ada keeps bees on the roof."})
    found = mind.call("POST", "/api/memory/recall", {"query": "Who keeps bees?"})
    thought = mind.call("POST", "/api/thought/generate", {"context": "What of bees?"})

    assert told["id"] in [memory["id"] for memory in found["memories"]]
    assert thought["safety"]["verdict"] == "allow"
    eventually("the stream goes on", lambda: len(mind.chain()) > before + 2, 30)
    assert_unbroken(mind.chain())


def test_the_charts_own_tests_pass(mind: Installation) -> None:
    mind.release.test()


def test_idle_it_is_small(mind: Installation, figure: Figure) -> None:
    mind.settle()
    use = idle_use(mind.namespace)
    figure("idle, all pods", f"{use.memory_mib:.0f} MiB, {use.cpu_millis:.0f} mCPU")
    assert use.memory_mib < IDLE_MIB
    assert use.cpu_millis < IDLE_MILLIS
