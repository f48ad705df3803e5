"""The encoder: texts in, unit vectors out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from embedding.freed_memory import keep_at_hand
from embedding.manifest import (
    DIMENSION,
    GRAPH_FILE,
    MODEL_NAME,
    VOCABULARY_FILE,
    verify,
)
from embedding.wordpiece import WordPiece

# One core for a text: callers run in parallel, and the runtime's threads would spin.
_THREADS_PER_RUN = 1

_ERRORS_ONLY = 3


class Embedder:
    """Makes vectors from texts. Safe to share between threads."""

    name = MODEL_NAME
    dimension = DIMENSION

    def __init__(self, folder: Path) -> None:
        """Load the model, or raise ModelUnavailable if the folder is not intact."""
        verify(folder)
        vocabulary = (folder / VOCABULARY_FILE).read_text(encoding="utf-8")
        self._tokenizer = WordPiece(vocabulary.split("\n"))
        self._session = open_session(folder / GRAPH_FILE)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), 384); what follows 256 tokens is ignored.

        The same text gives the same bits, whatever is embedded beside it.
        """
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            # Kernels sum in another order for batched rows: each text runs alone.
            ids = np.array([self._tokenizer.encode(text)], dtype=np.int64)
            row[:] = self._session.run(None, {"input_ids": ids})[0][0]
        return vectors


def open_session(graph: Path) -> onnxruntime.InferenceSession:
    """A session that keeps to the caller's thread, its weights mapped from the file."""
    keep_at_hand()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS_PER_RUN
    options.inter_op_num_threads = _THREADS_PER_RUN
    options.log_severity_level = _ERRORS_ONLY
    # Both would keep memory for each length of text that was ever seen.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"]
    )
