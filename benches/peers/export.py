"""The same model for ONNX Runtime: safetensors to ONNX, fused, and quantised to 8 bits.

The graph is written as PyTorch's exporter writes BERT, because that is what ONNX Runtime's fusions look for.
Pooling (the mean of the token vectors) and normalisation are part of it, so that the peer does nothing in Python
that could be done in native code.
"""

import json
import logging
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
DTYPES = {"F32": np.float32, "F16": np.float16}


def read_safetensors(path):
    """Name to array, as float32; tensors of other types, such as position ids, are left out."""
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in DTYPES:
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], dtype=DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"]).astype(np.float32)
    return tensors


class Graph:
    """Nodes and constants, named as they come."""

    def __init__(self, tensors):
        self.tensors, self.nodes, self.constants = tensors, [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind, inputs, output=None, **attributes):
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"n_{output}", **attributes))
        return output

    def linear(self, x, name):
        weight = self.constant(f"{name}.weight", self.tensors[f"{name}.weight"].T)
        bias = self.constant(f"{name}.bias", self.tensors[f"{name}.bias"])
        # PyTorch's order of the operands of Add; the fusions insist on it.
        return self.node("Add", [bias, self.node("MatMul", [x, weight])])

    def layer_norm(self, x, name, epsilon):
        weight = self.constant(f"{name}.weight", self.tensors[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.tensors[f"{name}.bias"])
        return self.node("LayerNormalization", [x, weight, bias], axis=-1, epsilon=epsilon)


def shared_constants(graph, heads, size):
    width = size // heads
    scalar = lambda name, value: graph.constant(name, np.array(value, np.float32))
    scalar("one", 1.0), scalar("half", 0.5), scalar("root_two", math.sqrt(2.0))
    scalar("far_below", -10000.0), scalar("root_width", math.sqrt(width))
    graph.constant("to_heads", np.array([0, 0, heads, width], np.int64))
    graph.constant("from_heads", np.array([0, 0, size], np.int64))
    for axis in (0, 1, 2):
        graph.constant(f"axis_{axis}", np.array([axis], np.int64))


def embeddings(graph, epsilon):
    """Word + position + type 0; one table holds the sum of the last two, for no text has a second type."""
    name = "embeddings.word_embeddings.weight"
    words = graph.node("Gather", [graph.constant(name, graph.tensors[name]), "input_ids"], axis=0)
    table = graph.tensors["embeddings.position_embeddings.weight"]
    table = table + graph.tensors["embeddings.token_type_embeddings.weight"][0]
    length = graph.node("Shape", ["input_ids"], start=1, end=2)
    places = graph.node("Slice", [graph.constant("positions", table), "axis_0", length, "axis_0"])
    return graph.layer_norm(graph.node("Add", [words, places]), "embeddings.LayerNorm", epsilon)


def attention(graph, x, mask, name):
    def heads(part, order):
        projected = graph.linear(x, f"{name}.self.{part}")
        return graph.node("Transpose", [graph.node("Reshape", [projected, "to_heads"])], perm=order)

    query, key = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1])
    value = heads("value", [0, 2, 1, 3])
    scores = graph.node("Div", [graph.node("MatMul", [query, key]), "root_width"])
    shares = graph.node("Softmax", [graph.node("Add", [scores, mask])], axis=-1)
    mixed = graph.node("Transpose", [graph.node("MatMul", [shares, value])], perm=[0, 2, 1, 3])
    return graph.linear(graph.node("Reshape", [mixed, "from_heads"]), f"{name}.output.dense")


def gelu(graph, x):
    erf = graph.node("Erf", [graph.node("Div", [x, "root_two"])])
    return graph.node("Mul", [graph.node("Mul", [x, graph.node("Add", [erf, "one"])]), "half"])


def pooled(graph, x):
    """The direction of the mean over the tokens: normalised, sum and mean are the same."""
    mask = graph.node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    row = graph.node("Unsqueeze", [mask, "axis_1"])
    total = graph.node("Squeeze", [graph.node("MatMul", [row, x]), "axis_1"])
    return graph.node("LpNormalization", [total], output="embedding", axis=-1, p=2)


def build(folder, to):
    """Writes the plain f32 graph of the BERT model in `folder`; returns its configuration."""
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] != "bert" or config["hidden_act"] != "gelu":
        raise SystemExit(f"{folder}: only BERT with GELU can be exported")
    size, epsilon = config["hidden_size"], config["layer_norm_eps"]
    graph = Graph(read_safetensors(folder / "model.safetensors"))
    shared_constants(graph, config["num_attention_heads"], size)
    mask = graph.node("Unsqueeze", [graph.node("Unsqueeze", ["attention_mask", "axis_1"]), "axis_2"])
    mask = graph.node("Cast", [mask], to=TensorProto.FLOAT)
    mask = graph.node("Mul", [graph.node("Sub", ["one", mask]), "far_below"])
    x = embeddings(graph, epsilon)
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        attended = graph.node("Add", [attention(graph, x, mask, f"{name}.attention"), x])
        x = graph.layer_norm(attended, f"{name}.attention.output.LayerNorm", epsilon)
        inner = gelu(graph, graph.linear(x, f"{name}.intermediate.dense"))
        outer = graph.node("Add", [graph.linear(inner, f"{name}.output.dense"), x])
        x = graph.layer_norm(outer, f"{name}.output.LayerNorm", epsilon)
    pooled(graph, x)
    whole = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
             for name in ("input_ids", "attention_mask")]
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", size])
    proto = helper.make_graph(graph.nodes, "bert", whole, [out], graph.constants)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, to)
    return config


def fuse(plain, config, to):
    """ONNX Runtime's own fusions for BERT; returns how many of each kind there are."""
    from onnxruntime.transformers import optimizer

    optimised = optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"], opt_level=0,
    )
    fused = {kind: count for kind, count in optimised.get_fused_operator_statistics().items() if count}
    optimised.save_model_to_file(str(to))
    layers = config["num_hidden_layers"]
    missing = [kind for kind in ("Attention", "BiasGelu") if fused.get(kind, 0) < layers]
    if missing:
        raise SystemExit(f"ONNX Runtime fused only {fused}: the peer would not be at its best")
    return fused


def quantise(fused, to):
    """Dynamic quantisation: weights in int8, activations in uint8; returns the operators it computes with.

    A scale for each column of weights costs no time and makes the vectors far better.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It would advise to run what `fuse` has done already.
    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(
        str(fused), str(to), weight_type=QuantType.QInt8, per_channel=True, reduce_range=False,
        # The fused operators are ONNX Runtime's own, for which ONNX infers no types.
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )
    counts = {}
    for node in onnx.load(str(to)).graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return {kind: counts[kind] for kind in sorted(counts) if "Integer" in kind or kind.startswith("Q")}


def export(folder, into):
    """The f32 and the int8 model of `folder` as files in `into`, with what was fused."""
    into.mkdir(parents=True, exist_ok=True)
    plain, f32, int8 = (into / f"{name}.onnx" for name in ("plain", "f32", "int8"))
    config = build(Path(folder), plain)
    return {
        "f32": str(f32), "int8": str(int8), "dimension": config["hidden_size"],
        "fused": fuse(plain, config, f32), "integer": quantise(f32, int8),
    }
