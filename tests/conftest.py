"""Servers for the whole run, and what a skipped test means."""

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.support.stack"]

# Set where a machine has all that the tests need: a skip is then a defect.
NO_SKIPS = bool(os.environ.get("NO_SKIPS"))


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Fails a run that skipped a test where none may be."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if reporter and NO_SKIPS and skipped:
        reporter.write_line(f"{len(skipped)} skipped, and NO_SKIPS is set", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)
