"""Every render of the chart, made once a run."""

import pytest
from tests.support.render import VALUES, Render, render


@pytest.fixture(scope="session", params=VALUES, ids=lambda file: file.stem)
def release(request: pytest.FixtureRequest) -> Render:
    """The release `mind`, by each file of values in turn."""
    return render("mind", request.param)
