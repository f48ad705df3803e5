"""Settings of thought-generator."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from servicekit.settings import ServiceSettings

DEFAULT_MODEL = "claude-haiku-4-5"
# `claude-haiku-4-5-20251001` is a `claude-haiku-4-5`.
DATE_SUFFIX = re.compile(r"[-@]\d{8}$", re.ASCII)


Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(BaseModel):
    """Dollars per million tokens; a misspelt field would be one without a price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None


# Anthropic's list prices of the default model.
SHIPPED_PRICES = {
    DEFAULT_MODEL: Price(input=1.0, output=5.0, cache_read=0.1, cache_write=1.25)
}


class Settings(ServiceSettings):
    """Environment variables of the same names, in capitals."""

    redis_url: SecretStr | None = None
    memory_url: str = "http://127.0.0.1:8002"
    safety_url: str = "http://127.0.0.1:8003"
    thought_engine: Literal["auto", "anthropic", "offline"] = "auto"
    thought_model: str = DEFAULT_MODEL
    # {"model": {"input": 1.0, "output": 5.0}}, dollars per million tokens.
    thought_prices: dict[str, Price] = Field(default_factory=dict)
    # Thinks for agents whose budget runs out, where they have the rung `cheaper`.
    thought_cheaper_model: str | None = None
    thought_max_tokens: Annotated[int, Field(ge=16, le=8192)] = 300
    # `auto` asks for JSON of one field until the server shows that it knows none.
    thought_structured_output: Literal["auto", "off"] = "auto"
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    streams_enabled: bool = True
    # A replica that says nothing for this long has lost its streams.
    lease_seconds: Annotated[float, Field(ge=2, le=300)] = 10.0

    @model_validator(mode="after")
    def _engine_has_a_key(self) -> "Settings":
        if self.thought_engine == "anthropic" and self.anthropic_api_key is None:
            raise ValueError("THOUGHT_ENGINE=anthropic needs ANTHROPIC_API_KEY")
        return self

    @model_validator(mode="after")
    def _cheaper_model_has_a_price(self) -> "Settings":
        model = self.thought_cheaper_model
        if model is not None and self.price_of(model) is None:
            raise ValueError("THOUGHT_CHEAPER_MODEL needs a price")
        return self

    @property
    def engine(self) -> Literal["anthropic", "offline"]:
        """The engine in force: `auto` means anthropic where there is a key."""
        if self.thought_engine == "auto":
            return "anthropic" if self.anthropic_api_key else "offline"
        return self.thought_engine

    @property
    def prices(self) -> dict[str, Price]:
        """Shipped prices, and those of the settings over them."""
        return SHIPPED_PRICES | self.thought_prices

    def price_of(self, model: str) -> Price | None:
        """The model's own price, or that of its family without the date."""
        family = DATE_SUFFIX.sub("", model)
        return self.prices.get(model) or self.prices.get(family)

    @property
    def lease(self) -> timedelta:
        """The lease time of a replica."""
        return timedelta(seconds=self.lease_seconds)
