"""`python -m bootstrap.agents`: makes minds as the chart's values describe them.

AGENTS_FILE holds them by their ids. What was applied is kept in the ConfigMap
APPLIED_CONFIGMAP, by which a field that a person changed since is known, and left.
"""

from pathlib import Path
from urllib.parse import quote

import structlog
from pydantic import ValidationError

from bootstrap.api import Answer, Api
from bootstrap.fields import (
    AGENTS,
    AgentValues,
    Decision,
    Fields,
    decide,
    flatten,
    in_values,
    nest,
)
from bootstrap.kubernetes import Kubernetes
from bootstrap.ledger import Ledger
from servicekit.jobs import JobFailed, NotYet, read_setting, run_job, until_done

# The services' first start takes a minute, and a rollout some more.
DEADLINE_S = 300.0

log = structlog.get_logger()


async def apply_agents() -> None:
    """Applies all of them; JobFailed names those that were refused."""
    agents = read_agents(Path(read_setting("AGENTS_FILE")))
    ledger_name = read_setting("APPLIED_CONFIGMAP")
    address, key = read_setting("THOUGHT_URL"), read_setting("ADMIN_KEY")
    async with Kubernetes() as kubernetes, Api(address, key) as api:

        async def attempt() -> None:
            ledger = await Ledger.open(kubernetes, ledger_name)
            refusals = [
                refusal
                for agent_id, values in agents.items()
                if (refusal := await _apply(api, ledger, agent_id, values))
            ]
            if refusals:
                raise JobFailed("; ".join(refusals))

        await until_done(attempt, DEADLINE_S)


def read_agents(file: Path) -> dict[str, AgentValues]:
    """The minds in a file; JobFailed names each field that does not fit."""
    try:
        return AGENTS.validate_json(file.read_bytes())
    except OSError as error:
        raise JobFailed(f"AGENTS_FILE: {error}") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(['agents', *map(str, e['loc'])])}: {e['msg']}"
            for e in error.errors(include_input=False)
        ]
        raise JobFailed("; ".join(lines)) from error


async def _apply(
    api: Api, ledger: Ledger, agent_id: str, values: AgentValues
) -> str | None:
    """Applies one; returns why it was refused, if it was."""
    path = f"/api/thought/agents/{quote(agent_id, safe='')}"
    wanted = values.fields
    answer = _checked(await api.call("GET", path))
    if answer.status == 404:
        decision = Decision(wanted)
        answer = _checked(await api.call("PUT", path, nest(wanted)))
    else:
        current = flatten(answer.body)
        decision = decide(
            wanted, current, ledger.of(agent_id), overwrite=values.overwrite
        )
        if decision.to_set:
            answer = _checked(await api.call("PATCH", path, nest(decision.to_set)))
    if answer.status >= 400:
        return f"agents.{agent_id}: {_name(decision.to_set)} refused ({answer.reason})"
    stored = flatten(answer.body)
    ours = wanted.keys() - set(decision.left)
    await ledger.note(agent_id, {field: stored[field] for field in ours})
    _tell(agent_id, decision)
    return None


def _checked(answer: Answer) -> Answer:
    """The answer, unless another time may bring another."""
    if answer.status in {401, 403}:
        raise NotYet(
            f"ADMIN_KEY is refused ({answer.reason}): keys.json must list it with "
            "the scope admin, for all agents"
        )
    if answer.status in {409, 429} or answer.status >= 500:
        raise NotYet(f"THOUGHT_URL answers {answer.reason}")
    return answer


def _tell(agent_id: str, decision: Decision) -> None:
    told: dict[str, str] = {"agent": agent_id, "set": _name(decision.to_set)}
    if decision.left:
        told["left"] = _name(decision.left)
        told["why"] = "a person changed it; with overwrite: true it is set again"
    log.info("applied", **told)


def _name(paths: list[str] | Fields) -> str:
    return ", ".join(map(in_values, paths)) or "nothing"


if __name__ == "__main__":
    run_job("agents", apply_agents)
