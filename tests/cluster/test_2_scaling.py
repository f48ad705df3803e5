"""More pods under load, and fewer after it."""

from collections.abc import Callable

from tests.support.cluster.installation import Installation
from tests.support.cluster.measure import scale_out_s

NEW_POD_S = 45.0


def test_load_brings_pods_and_takes_them_back(
    mind: Installation, figure: Callable[[str, str], None]
) -> None:
    mind.settle()
    took_s = scale_out_s(mind)
    figure("load step to a new pod ready", f"{took_s:.1f} s")
    assert took_s <= NEW_POD_S
    mind.settle()
