"""What must hold of every statement, so that tables can be distributed by agent."""

import re

import pytest

from memory_service.models.memories import MEMORY_FIELDS
from memory_service.stores.queries import QUERIES
from servicekit.migrations import migration_folder

# Of the server or of all agents at once: none of them is on a caller's way.
OF_NO_AGENT = {
    "timeline",
    "expired",
    # Counts of all agents at once.
    "claim_counts",
    "counts_made",
    "refresh_counts",
    # The agent is in the words that the statistics hold.
    "common_words",
    # Whole partitions.
    "drop_partition",
    "make_partition",
    "partitions_before",
    # How far a server has come.
    "replayed_position",
    "written_position",
    # The agent is in the name of the lock.
    "take_turn",
}
MEMORIES = {
    name for name, text in QUERIES.items() if "last_accessed_at, superseded_by" in text
}


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"--.*", "", text))


@pytest.mark.parametrize("name", sorted(set(QUERIES) - OF_NO_AGENT))
def test_every_statement_names_the_agent(name: str) -> None:
    assert re.search(r"\bagent_id\b", QUERIES[name])


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_statement_says_what_it_is_for(name: str) -> None:
    assert QUERIES[name].startswith("-- ")


@pytest.mark.parametrize("name", sorted(MEMORIES))
def test_memories_are_read_in_the_order_of_their_fields(name: str) -> None:
    assert ", ".join(MEMORY_FIELDS) in squeeze(QUERIES[name])


def test_statements_that_read_memories_are_known() -> None:
    assert {
        "lookup",
        "memory",
        "recent",
        "recent_of_type",
        "recalled",
        "recalled_alone",
        "standing",
        "export_page",
    } == MEMORIES


def test_every_key_begins_with_the_agent() -> None:
    folder = migration_folder("memory_service")
    text = squeeze("".join(file.read_text() for file in folder.glob("*.sql")))
    keys = re.findall(r"(?:PRIMARY KEY|UNIQUE) \((.*?)\)", text)
    assert len(keys) >= 6
    assert all(key.split(",")[0] == "agent_id" for key in keys)
    indexes = re.findall(r"CREATE INDEX (\w+) ON \w+(?: USING gin)? \((.*?)\)", text)
    without = {name for name, columns in indexes if "agent_id" not in columns}
    # The first holds words that begin with the agent; the second narrows what the
    # agent's own index finds.
    assert without == {"memories_words", "memories_metadata"}
