"""Reads safetensors files: an 8-byte header length, a JSON header, raw tensors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

_HEADER_LENGTH_BYTES = 8
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of the file by its name, mapped rather than read."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    header_bytes = int.from_bytes(raw[:_HEADER_LENGTH_BYTES].tobytes(), "little")
    start = _HEADER_LENGTH_BYTES + header_bytes
    header = json.loads(raw[_HEADER_LENGTH_BYTES:start].tobytes())
    header.pop("__metadata__", None)
    return {name: _view(raw[start:], entry) for name, entry in header.items()}


def _view(body: Tensor, entry: dict[str, Any]) -> Tensor:
    first, last = entry["data_offsets"]
    tensor: Tensor = body[first:last].view(_DTYPES[entry["dtype"]])
    return tensor.reshape(entry["shape"])
