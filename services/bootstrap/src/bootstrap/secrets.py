"""`python -m bootstrap.secrets`: fills the release's two Secrets.

Passwords and keys are made where they are missing, and never again; addresses are
made anew from them each time, under keys that end with ADDRESSES.
"""

import base64
import os
from collections.abc import Callable, Mapping

import structlog

from bootstrap.contents import Texts, Wanted, complete_internal, complete_keys
from bootstrap.kubernetes import Kubernetes
from servicekit.jobs import JobFailed, read_setting, run_job, until_done

DEADLINE_S = 120.0

log = structlog.get_logger()


async def fill_secrets() -> None:
    """Both Secrets, whole; somebody who does the same at the same time does no harm."""
    environment = dict(os.environ)
    internal = read_setting("INTERNAL_SECRET")
    keys = environment.get("API_KEYS_SECRET")
    async with Kubernetes() as kubernetes:

        async def attempt() -> None:
            if keys:
                await _fill(kubernetes, keys, complete_keys)
            await _fill(
                kubernetes,
                internal,
                lambda known: complete_internal(known, environment),
            )

        await until_done(attempt, DEADLINE_S)


async def _fill(
    kubernetes: Kubernetes, name: str, complete: Callable[[Texts], Wanted]
) -> None:
    secret = await kubernetes.get("secrets", name)
    known = _decode(name, secret.get("data") or {})
    changed = {
        key: text for key, text in complete(known).items() if known.get(key) != text
    }
    if not changed:
        log.info("nothing is missing", secret=name)
        return
    data = {
        key: None if text is None else base64.b64encode(text.encode()).decode()
        for key, text in changed.items()
    }
    await kubernetes.patch("secrets", secret, {"data": data})
    log.info("filled", secret=name, keys=sorted(changed))


def _decode(name: str, data: Mapping[str, str]) -> dict[str, str]:
    texts = {}
    for key, encoded in data.items():
        try:
            texts[key] = base64.b64decode(encoded).decode()
        except ValueError:
            raise JobFailed(f"{key!r} of the Secret {name!r} is not text") from None
    return texts


if __name__ == "__main__":
    run_job("secrets", fill_secrets)
