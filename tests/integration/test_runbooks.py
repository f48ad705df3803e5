"""What the runbooks of the chart ask PostgreSQL is answered by a mind's own."""

import asyncio
import re
from pathlib import Path

import pytest
from tests.support.mind import Mind
from tests.support.postgres import superuser
from tests.support.render import CHART

RUNBOOKS = sorted(CHART.glob("runbooks/*.md"))
PSQL = re.compile(
    r'exec \$name-(postgresql\S*)-0 -- psql -U postgres(?: -d (\w+))? -c "(.*?)"',
    re.DOTALL,
)
ANSWERED_S = 10.0


def queries(text: str) -> list[tuple[str, str, str]]:
    """The pod asked, the database, and the query."""
    return PSQL.findall(text)


def test_they_ask_something() -> None:
    text = "".join(file.read_text() for file in RUNBOOKS)
    assert len(queries(text)) == text.count("-- psql") > 15


@pytest.mark.parametrize("file", RUNBOOKS, ids=lambda file: file.stem)
async def test_every_query_is_answered(quiet_mind: Mind, file: Path) -> None:
    for server, database, query in queries(file.read_text()):
        replica = server == "postgresql-replica"
        async with (
            asyncio.timeout(ANSWERED_S),
            superuser(quiet_mind, database or "postgres", replica=replica) as asked,
        ):
            await asked.fetch(query)
