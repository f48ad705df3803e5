"""Text to vector by all-MiniLM-L6-v2, in the process, without downloads."""

import os
import sys
from pathlib import Path

# onnxruntime would tell its maker how it is used; it reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from embedding.errors import ModelUnavailable as ModelUnavailable
from embedding.manifest import MODEL_NAME as MODEL_NAME


def default_folder() -> Path:
    """Where set-up puts the model: beside the interpreter that will load it."""
    return Path(sys.prefix) / "share" / "claude-agi" / MODEL_NAME
