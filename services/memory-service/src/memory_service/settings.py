"""Settings of memory-service."""

from pathlib import Path

from pydantic import Field

import embedding
from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables of the same names, in capitals."""

    safety_url: str = "http://127.0.0.1:8003"
    # The folder of the embedding model.
    model_dir: Path = Field(default_factory=embedding.default_folder)
