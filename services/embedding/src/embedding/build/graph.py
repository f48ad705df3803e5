"""An ONNX graph under construction, its large constants in a file beside it."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

# The domain of operators that only onnxruntime has.
FUSED = "com.microsoft"

_OPERATORS = [helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]
_IR_VERSION = 8

# Smaller constants stay in the graph, where the runtime can see their values.
_LARGEST_INLINE_BYTES = 1024

# The runtime maps constants from the file; pages start at multiples of this.
_ALIGNMENT_BYTES = 4096


class Graph:
    """Collects nodes and constants; each call returns the name of its value."""

    def __init__(self, constants_file: str) -> None:
        self._constants_file = constants_file
        self._constants = io.BytesIO()
        self._nodes: list[NodeProto] = []
        self._tensors: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **given: Any) -> str:
        (output,) = self.add_split(operator, *inputs, parts=1, domain=domain, **given)
        return output

    def add_split(
        self, operator: str, *inputs: str, parts: int, domain: str = "", **given: Any
    ) -> list[str]:
        """Append a node that has several outputs."""
        name = f"{operator}_{len(self._nodes)}"
        outputs = [f"{name}_{part}" for part in range(parts)]
        node = helper.make_node(operator, inputs, outputs, name, domain=domain, **given)
        self._nodes.append(node)
        return outputs

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{len(self._tensors)}"
        tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        if values.nbytes > _LARGEST_INLINE_BYTES:
            self._move_out(tensor)
        self._tensors.append(tensor)
        return name

    def constants(self) -> bytes:
        """The content of the file beside the graph."""
        return self._constants.getvalue()

    def serialise(self, name: str, output: str, dimension: int) -> bytes:
        """The graph from `input_ids` (1, tokens) to `output` (1, dimension)."""
        ids = helper.make_tensor_value_info(
            "input_ids", TensorProto.INT64, [1, "tokens"]
        )
        vector = helper.make_tensor_value_info(
            output, TensorProto.FLOAT, [1, dimension]
        )
        graph = helper.make_graph(self._nodes, name, [ids], [vector], self._tensors)
        model = helper.make_model(
            graph, opset_imports=_OPERATORS, ir_version=_IR_VERSION
        )
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    def _move_out(self, tensor: TensorProto) -> None:
        written = self._constants.tell()
        offset = self._constants.seek(written + -written % _ALIGNMENT_BYTES)
        length = self._constants.write(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": self._constants_file, "offset": offset, "length": length}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
