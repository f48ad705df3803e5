"""Remembers, and recalls by meaning."""

import os

# Before numpy, faiss and onnxruntime are loaded: each text and each search runs on
# one thread, and a pool for each library would cost memory and nothing else.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_pool, "1")
