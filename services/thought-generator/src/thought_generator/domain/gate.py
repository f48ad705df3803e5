"""Nothing passes without a verdict; no verdict is a refusal."""

from contracts.clients import SafetyApi
from contracts.problem import ServiceError
from contracts.safety import Kind, ValidateRequest, Verdict, VerdictName
from thought_generator.errors import BlockedBySafety, SafetyUnavailable


class Gate:
    """Asks safety-validator and turns its answers into text that may pass."""

    def __init__(self, safety: SafetyApi) -> None:
        self._safety = safety

    async def passes(
        self, content: str, kind: Kind, agent_id: str, stream: str | None = None
    ) -> tuple[str, Verdict]:
        """The text that may pass, redacted if need be, and its verdict.

        Raises:
            BlockedBySafety: it may not pass.
            SafetyUnavailable: there is no verdict.
        """
        request = ValidateRequest(
            content=content, kind=kind, agent_id=agent_id, stream=stream
        )
        try:
            verdict = await self._safety.validate(request)
        except ServiceError as error:
            raise SafetyUnavailable(str(error)) from error
        if verdict.verdict is VerdictName.BLOCK:
            raise BlockedBySafety(kind, verdict.model_dump(mode="json"))
        if verdict.verdict is VerdictName.REDACT:
            if verdict.redacted_content is None:
                raise SafetyUnavailable("a redaction without its text")
            return verdict.redacted_content, verdict
        return content, verdict
