"""The BERT encoder of the model as a graph of fused, eight-bit operators.

It takes one text without padding, so nothing in it is masked.
"""

import numpy as np

from embedding.build.blocks import BITS, BLOCK_SIZE, quantise
from embedding.build.graph import FUSED, Graph
from embedding.build.product import add_product
from embedding.build.safetensors import Tensor
from embedding.wordpiece import MAX_TOKENS

Tensors = dict[str, Tensor]

_HEAD_SIZE = 32
_EPSILON = 1e-12

# What layer norms put out is small but for these channels. Left among the others they
# make every step coarse: agreement on the ten nearest 0.933 instead of 0.962.
OUTLIERS = (63, 99, 127, 157, 223, 267, 319, 338)


class Encoder:
    """Adds the model to a graph, piece by piece.

    `tokens` is the longest text that it will read, the special ones among them; the
    table of tokens has a scale for every `block_size` of a token's 384 numbers.
    """

    def __init__(
        self,
        graph: Graph,
        tensors: Tensors,
        tokens: int = MAX_TOKENS,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        self._graph = graph
        self._tensors = tensors
        self._tokens = tokens
        self._block_size = block_size

    def add(self) -> str:
        """Add the whole model and return the name of the unit vector."""
        return self._graph.add("LpNormalization", self.add_mean(), p=2, axis=-1)

    def add_mean(self) -> str:
        """Add the model but for its last step: the mean of the tokens' vectors."""
        hidden = self._add_embeddings()
        for layer in range(self._layers()):
            hidden = self._add_layer(hidden, f"encoder.layer.{layer}")
        return self._graph.add("ReduceMean", hidden, axes=[1], keepdims=0)

    def _layers(self) -> int:
        ends = ".attention.self.query.weight"
        return sum(name.endswith(ends) for name in self._tensors)

    def _add_embeddings(self) -> str:
        table = self._tensors["embeddings.word_embeddings.weight"]
        blocks = quantise(table, self._block_size)
        words = self._graph.add(
            "GatherBlockQuantized",
            self._graph.constant(blocks.steps.reshape(table.shape)),
            "input_ids",
            self._graph.constant(blocks.scales),
            domain=FUSED,
            gather_axis=0,
            quantize_axis=1,
            block_size=self._block_size,
            bits=BITS,
        )
        places = self._add_positions()
        return self._add_norm(self._graph.add("Add", words, places), "embeddings")

    def _add_positions(self) -> str:
        """A row for each token's place; the only segment is added into the table."""
        positions = self._tensors["embeddings.position_embeddings.weight"]
        segments = self._tensors["embeddings.token_type_embeddings.weight"]
        zero = self._graph.constant(np.array([0]))
        return self._graph.add(
            "Slice",
            self._graph.constant(positions[: self._tokens] + segments[0]),
            zero,
            self._graph.add("Shape", "input_ids", start=1, end=2),
            zero,
        )

    def _add_layer(self, hidden: str, layer: str) -> str:
        attended = self._add_attention(hidden, f"{layer}.attention.self")
        hidden = self._add_output(attended, hidden, f"{layer}.attention.output")
        widened = self._add_wide_product(hidden, f"{layer}.intermediate.dense.weight")
        bias = self._constant(f"{layer}.intermediate.dense.bias")
        active = self._graph.add("BiasGelu", widened, bias, domain=FUSED)
        return self._add_output(active, hidden, f"{layer}.output")

    def _add_attention(self, hidden: str, attention: str) -> str:
        parts = [f"{attention}.{part}" for part in ("query", "key", "value")]
        # One product for the three: the activations are rounded once.
        product = self._add_wide_product(hidden, *(f"{part}.weight" for part in parts))
        biases = [self._tensors[f"{part}.bias"] for part in parts]
        return self._graph.add(
            "MultiHeadAttention",
            *self._graph.add_split("Split", product, parts=len(parts), axis=-1),
            self._graph.constant(np.concatenate(biases)),
            domain=FUSED,
            num_heads=biases[0].size // _HEAD_SIZE,
        )

    def _add_output(self, values: str, skipped: str, block: str) -> str:
        weights = self._tensors[f"{block}.dense.weight"]
        product = add_product(self._graph, values, weights)
        biased = self._graph.add("Add", product, self._constant(f"{block}.dense.bias"))
        # The fused operator for these takes three times as long.
        return self._add_norm(self._graph.add("Add", biased, skipped), block)

    def _add_norm(self, values: str, block: str) -> str:
        return self._graph.add(
            "LayerNormalization",
            values,
            self._constant(f"{block}.LayerNorm.weight"),
            self._constant(f"{block}.LayerNorm.bias"),
            axis=-1,
            epsilon=_EPSILON,
        )

    def _add_wide_product(self, hidden: str, *names: str) -> str:
        """What follows a layer norm: its outliers are multiplied in float32."""
        weights = np.concatenate([self._tensors[name] for name in names])
        others = np.ones(weights.shape[1], dtype=np.float32)
        others[list(OUTLIERS)] = 0
        inner = self._graph.add("Mul", hidden, self._graph.constant(others))
        places = self._graph.constant(np.array(OUTLIERS))
        outliers = self._graph.add("Gather", hidden, places, axis=-1)
        factors = self._graph.constant(weights[:, OUTLIERS].T)
        return self._graph.add(
            "Add",
            add_product(self._graph, inner, weights * others),
            self._graph.add("MatMul", outliers, factors),
        )

    def _constant(self, name: str) -> str:
        return self._graph.constant(self._tensors[name])
