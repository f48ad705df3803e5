"""A product with eight-bit integers on both sides, rounded when the graph runs.

Every row of the activations (a token) and every column of the weights (an output) has a
scale of its own, so what a token becomes does not depend on the tokens beside it. The
split of scales is that of LLM.int8() (Dettmers et al., 2022).
"""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from embedding.build.graph import FUSED, Graph

_LARGEST_STEP = np.float32(127)
_ZERO_POINT = np.uint8(128)
# Casts cut off: half a step more rounds to the nearest.
_SHIFT = np.float32(_ZERO_POINT + 0.5)
# A row of zeros must not become a row of 0/0.
_LEAST_SCALE = np.float32(1e-20)


def add_product(graph: Graph, values: str, weights: NDArray[np.float32]) -> str:
    """Add values (1, tokens, columns) times the transpose of (rows, columns)."""

    def scalar(value: np.generic) -> str:
        return graph.constant(np.asarray(value))

    scales = np.abs(weights).max(axis=1) / _LARGEST_STEP
    steps = np.rint(weights / scales[:, np.newaxis]).astype(np.int8)
    largest = graph.add(
        "Max",
        graph.add("ReduceMax", graph.add("Abs", values), axes=[-1], keepdims=1),
        scalar(_LEAST_SCALE),
    )
    per_step = graph.add("Div", scalar(_LARGEST_STEP), largest)
    shifted = graph.add("Add", graph.add("Mul", values, per_step), scalar(_SHIFT))
    product = graph.add(
        "MatMulIntegerToFloat",
        graph.add("Cast", shifted, to=TensorProto.UINT8),
        graph.constant(steps.T),
        scalar(1 / _LARGEST_STEP),
        graph.constant(scales),
        scalar(_ZERO_POINT),
        domain=FUSED,
    )
    return graph.add("Mul", product, largest)
