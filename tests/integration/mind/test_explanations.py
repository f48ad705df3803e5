"""Why a thought was thought: its prompt to the letter, and nothing forgotten."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import psutil
import pytest
import pytest_asyncio
from tests.support import messages as api
from tests.support.messages import Model, scripted_model
from tests.support.mind import Mind, running_mind
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
Json = dict[str, Any]
STABLE = ("persona", "instruction", "rules")
SECRET = "Ada keeps the silver key under the third beehive."
# A stream that repeats itself would be turned away.
WORDS = "salt hope winter harbour bread dust lamp river copper violin"
PLAYS = [
    api.streams(api.stream(f"The {one} leads me to the {other} of {one}s."))
    for one, other in itertools.permutations(WORDS.split(), 2)
]
TABLES = ("thoughts", "prompts", "outbox", "streams", "idempotency_keys")


@pytest_asyncio.fixture(scope="module")
async def model() -> AsyncIterator[Model]:
    """It says the same whatever it is asked."""
    async with scripted_model(api.streams(api.stream())) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def mind(model: Model) -> AsyncIterator[Mind]:
    """A mind that thinks by it; its own agent does not."""
    async with running_mind(
        ANTHROPIC_API_KEY="test-key",
        ANTHROPIC_BASE_URL=model.base_url,
        THOUGHT_STRUCTURED_OUTPUT="off",
    ) as mind:
        async with mind.client() as client:
            await client.post("/api/thought/agents/default/pause")
        yield mind


@pytest_asyncio.fixture
async def client(mind: Mind, model: Model) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, and a model that was asked nothing yet."""
    async with mind.client() as client:
        metrics = f"{mind.service('thought-generator')}/metrics"

        async def is_quiet() -> bool:
            told = (await client.get(metrics)).text
            return "\nactive_consciousness_streams 0.0" in told

        await until(is_quiet, within_s=10)
        model.will(api.streams(api.stream()))
        yield client


async def new_agent(client: httpx2.AsyncClient, **stream: object) -> str:
    """It thinks on request only, unless its stream is told otherwise."""
    agent = f"w-{uuid4().hex[:8]}"
    body = {
        "persona": "I am calm.\n\nAnd brief.",
        "streams": {"primary": {"enabled": False, **stream}},
    }
    (await client.put(f"/api/thought/agents/{agent}", json=body)).raise_for_status()
    return agent


async def tell(client: httpx2.AsyncClient, agent: str, content: str) -> str:
    body = {"agent_id": agent, "content": content}
    answer = await client.post("/api/memory", json=body)
    answer.raise_for_status()
    return str(answer.json()["id"])


async def generate(client: httpx2.AsyncClient, agent: str, **changed: object) -> Json:
    body = {"agent_id": agent, "context": "Where is the key?", **changed}
    answer = await client.post("/api/thought/generate", json=body)
    answer.raise_for_status()
    made: Json = answer.json()
    return made


async def explained(client: httpx2.AsyncClient, thought: Json) -> Json:
    answer = await client.get(f"/api/thought/{thought['id']}")
    answer.raise_for_status()
    found: Json = answer.json()["explanation"]
    return found


def joined(prompt: Json) -> tuple[str, str]:
    """The system and the user text by the documented rule."""
    texts = [(part["name"] in STABLE, part["text"]) for part in prompt["parts"]]
    return (
        "\n\n".join(text for stable, text in texts if stable),
        "\n\n".join(text for stable, text in texts if not stable),
    )


def sent(body: Json) -> tuple[str, str]:
    """The system and the user text that a model received."""
    ((system,), (message,)) = body["system"], body["messages"]
    return system["text"], message["content"]


async def test_the_parts_are_what_the_model_was_given(
    client: httpx2.AsyncClient, model: Model
) -> None:
    agent = await new_agent(client)
    memory = await tell(client, agent, SECRET)
    first = await generate(client, agent)
    second = await generate(client, agent, context="And\n\nwho else knows?")
    asked = [sent(body) for body in model.asked]
    for thought, texts in zip((first, second), asked, strict=True):
        told = await explained(client, thought)
        assert joined(told["prompt"]) == texts
        assert told["prompt"]["exact"] is True
        versions = {part["name"]: part["version"] for part in told["prompt"]["parts"]}
        assert all(versions[name] for name in STABLE)
        (recalled,) = told["recalled"]
        assert (recalled["memory_id"], recalled["state"]) == (memory, "kept")
        assert (recalled["content"], recalled["evidence"]) == (SECRET, "told")
        assert recalled["scores"]["semantic"] is not None
        assert told["verdicts"]["thought"] == thought["safety"]
        assert told["verdicts"]["context"]["verdict"] == "allow"
        assert told["usage"] == thought["usage"]
        assert told["cost_usd"] == thought["usage"]["cost_usd"] == api.COST_USD
        assert told["timings_ms"] == thought["timings_ms"]
    assert (await explained(client, first))["previous"] is None
    previous = (await explained(client, second))["previous"]
    assert previous == {"id": first["id"], "seq": 1, "content": first["content"]}


async def test_a_streams_thoughts_are_explained_to_the_letter(
    client: httpx2.AsyncClient, model: Model
) -> None:
    model.will(*PLAYS)
    agent = await new_agent(client, enabled=True, interval_seconds=0.2)
    await tell(client, agent, SECRET)

    async def thoughts() -> list[Json]:
        page = await client.get(f"/api/thought/recent?agent_id={agent}")
        found: list[Json] = page.json()["thoughts"]
        return found[::-1]

    async def enough() -> bool:
        return len(await thoughts()) >= 5

    await until(enough, within_s=20)
    await client.post(f"/api/thought/agents/{agent}/pause")
    asked = [sent(body) for body in model.asked]
    told = [await explained(client, thought) for thought in (await thoughts())[:5]]
    assert [joined(each["prompt"]) for each in told] == asked[:5]
    assert [each["prompt"]["exact"] for each in told] == [True] * 5
    names = [part["name"] for part in told[-1]["prompt"]["parts"]]
    assert names == [*STABLE, "memories", "recent", "context"]


async def test_a_reply_is_explained_to_the_letter(
    client: httpx2.AsyncClient, model: Model
) -> None:
    agent = await new_agent(client)
    session, replies = None, []
    for message in ("I moved to Trieste.", "The cellar is wet.", "Where do I live?"):
        body = {"agent_id": agent, "message": message, "session_id": session}
        said = {name: value for name, value in body.items() if value is not None}
        answer = (await client.post("/api/thought/converse", json=said)).json()
        session = answer["session_id"]
        replies.append(answer["reply"])
    for reply, body in zip(replies, model.asked, strict=True):
        prompt = (await explained(client, reply))["prompt"]
        assert joined(prompt) == sent(body)
        assert prompt["exact"] is True
    assert "talk" in {part["name"] for part in prompt["parts"]}


async def test_what_was_forgotten_is_in_no_explanation(
    client: httpx2.AsyncClient, mind: Mind
) -> None:
    agent = await new_agent(client)
    memory = await tell(client, agent, SECRET)
    thought = await generate(client, agent)
    assert SECRET in [each["content"] for each in thought["recalled"]]
    body = {"agent_id": agent, "message": "The silver key opens the mill."}
    talk = (await client.post("/api/thought/converse", json=body)).json()
    (heard,) = talk["remembered"]
    for each in (memory, heard):
        url = f"/api/memory/{each}?agent_id={agent}"
        (await client.delete(url)).raise_for_status()
    for made in (thought, talk["reply"]):
        answer = await client.get(f"/api/thought/{made['id']}")
        assert "silver key" not in answer.text
        assert answer.json()["explanation"]["prompt"]["exact"] is False
    told = await explained(client, thought)
    assert {(each["state"], each["content"]) for each in told["recalled"]} == {
        ("gone", None)
    }
    recent = await client.get(f"/api/thought/recent?agent_id={agent}")
    assert "silver key" not in recent.text
    assert "silver key" not in await stored(mind, agent)


async def test_an_answer_under_a_key_forgets_too(
    client: httpx2.AsyncClient, mind: Mind
) -> None:
    agent = await new_agent(client)
    memory = await tell(client, agent, SECRET)
    headers = {"Idempotency-Key": uuid4().hex}
    question = {"agent_id": agent, "context": "Where is the key?"}
    calls = {
        "/api/thought/generate": question,
        "/api/thought/generate/batch": {"requests": [question]},
        "/api/thought/converse": {"agent_id": agent, "message": "Where is the key?"},
    }

    async def answers() -> list[httpx2.Response]:
        made = [
            await client.post(url, json=body, headers=headers)
            for url, body in calls.items()
        ]
        assert [answer.status_code for answer in made] == [200] * len(calls)
        return made

    first = [answer.text for answer in await answers()]
    assert all(SECRET in text for text in first)
    assert [answer.text for answer in await answers()] == first
    assert "silver key" not in await stored(mind, agent)
    url = f"/api/memory/{memory}?agent_id={agent}"
    (await client.delete(url)).raise_for_status()
    again = [answer.text for answer in await answers()]
    assert again == [text.replace(SECRET, "") for text in first]


@pytest.mark.parametrize(
    ("method", "changed"),
    [
        ("DELETE", None),
        ("PATCH", {"content": "Ada keeps the golden key under the fourth beehive."}),
    ],
)
async def test_what_memory_no_longer_says_comes_to_no_streams_mind(
    client: httpx2.AsyncClient, model: Model, method: str, changed: Json | None
) -> None:
    model.will(*PLAYS)
    agent = await new_agent(client, enabled=True, interval_seconds=0.1)
    memory = await tell(client, agent, SECRET)

    async def is_recalled() -> bool:
        return sum(SECRET in sent(body)[1] for body in model.asked) > 2

    await until(is_recalled, within_s=20)
    url = f"/api/memory/{memory}?agent_id={agent}"
    (await client.request(method, url, json=changed)).raise_for_status()
    # One may have been under way.
    known = len(model.asked) + 1

    async def has_gone_on() -> bool:
        return len(model.asked) > known + 8

    await until(has_gone_on, within_s=20)
    await client.post(f"/api/thought/agents/{agent}/pause")
    assert not [body for body in model.asked[known:] if "silver key" in str(body)]


async def test_a_value_is_removed_from_thoughts_as_the_page_says(
    client: httpx2.AsyncClient, mind: Mind, model: Model
) -> None:
    model.will(api.streams(api.stream("Carla Rossi has the key.")))
    agent = await new_agent(client)
    first = await generate(client, agent)
    model.will(api.streams(api.stream("The door is green.")))
    second = await generate(client, agent, context="What of CARLA ROSSI?")
    body = {"agent_id": agent, "value": "Carla Rossi"}
    (await client.post("/api/memory/forget", json=body)).raise_for_status()
    page = (ROOT / "docs" / "memory.md").read_text()
    statement = page.partition("```sql\n")[2].partition("```")[0]
    assert await run(mind, statement.replace("'default'", f"'{agent}'")) == "UPDATE 2"
    for thought in (first, second):
        answer = await client.get(f"/api/thought/{thought['id']}")
        assert answer.status_code == 200
        assert "carla" not in answer.text.lower()
        assert answer.json()["content"] == "[forgotten]"
    assert "carla" not in (await stored(mind, agent)).lower()
    third = await generate(client, agent, context="And now?")
    assert (third["seq"], third["previous_id"]) == (3, second["id"])


async def test_what_is_known_is_told_while_memory_is_out(
    client: httpx2.AsyncClient, mind: Mind
) -> None:
    agent = await new_agent(client)
    await tell(client, agent, SECRET)
    thought = await generate(client, agent)
    mind.kill("memory-service")
    told = await explained(client, thought)
    (recalled,) = told["recalled"]
    assert (recalled["state"], recalled["content"]) == ("unknown", None)
    assert told["prompt"]["exact"] is False
    page = await client.get(f"/api/thought/recent?agent_id={agent}")
    assert [each["content"] for each in page.json()["thoughts"]] == [thought["content"]]
    await mind.until_ready()

    async def answers() -> bool:
        return bool((await explained(client, thought))["prompt"]["exact"])

    await until(answers, within_s=20)


async def test_an_answer_used_again_names_the_thought_that_asked(
    client: httpx2.AsyncClient,
) -> None:
    agent = await new_agent(client)
    # Else the first thought would be what the next ones recall.
    await tell(client, agent, SECRET)
    first = await generate(client, agent)
    again = await asyncio.gather(*(generate(client, agent) for _ in range(3)))
    assert [each["cached"] for each in again] == [True] * 3
    for each in again:
        assert (await explained(client, each))["cached_from"] == first["id"]
    assert (await explained(client, first))["cached_from"] is None


async def test_nothing_is_left_of_an_agent_that_is_removed(
    client: httpx2.AsyncClient, mind: Mind
) -> None:
    agent = await new_agent(client)
    await generate(client, agent)
    assert "I am calm." in await stored(mind, agent)
    (await client.delete(f"/api/thought/agents/{agent}")).raise_for_status()
    assert await stored(mind, agent) == ""


async def run(mind: Mind, statement: str) -> str:
    told = psutil.Process(mind.pid_of("thought-generator")).environ()
    connection = await asyncpg.connect(told["DATABASE_URL"])
    try:
        return str(await connection.execute(statement))
    finally:
        await connection.close()


async def stored(mind: Mind, agent: str) -> str:
    """All that thought-generator's tables say of an agent."""
    told = psutil.Process(mind.pid_of("thought-generator")).environ()
    connection = await asyncpg.connect(told["DATABASE_URL"])
    try:
        rows = [
            str(row["line"])
            for table in TABLES
            for row in await connection.fetch(
                f"SELECT t::text AS line FROM {table} AS t WHERE agent_id = $1", agent
            )
        ]
    finally:
        await connection.close()
    return "\n".join(rows)
