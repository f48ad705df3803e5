"""Settings of memory-service."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, SecretStr, model_validator

import embedding
from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables of the same names, in capitals."""

    safety_url: str = "http://127.0.0.1:8003"
    redis_url: SecretStr | None = None
    # Memories that an agent keeps; beyond it those that matter least are deleted.
    memory_capacity: PositiveInt | None = None
    # Months of memories that are kept; 0: all. What is pinned stays.
    memory_retention_months: NonNegativeInt = 0
    # The folder of the embedding model.
    model_dir: Path = Field(default_factory=embedding.default_folder)
    # Where indexes keep vectors and snapshots, for this process alone; without it they
    # are made anew at every start.
    index_dir: Path | None = None
    # Which keeps the vectors: this process, or a Milvus for all replicas together.
    vector_store: Literal["faiss", "milvus"] = "faiss"
    milvus_uri: str | None = None
    milvus_token: SecretStr | None = None
    # What the collections are called; each deployment needs its own.
    milvus_collection: Annotated[
        str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)
    ] = "claude_agi_memories"

    @model_validator(mode="after")
    def _reach_milvus(self) -> "Settings":
        if self.vector_store == "milvus":
            if self.milvus_uri is None:
                raise ValueError("VECTOR_STORE=milvus needs MILVUS_URI")
            if find_spec("pymilvus") is None:
                raise ValueError(
                    "VECTOR_STORE=milvus needs the package pymilvus: see docs/milvus.md"
                )
        return self
