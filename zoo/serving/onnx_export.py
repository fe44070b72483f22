"""ONNX: endpoints in standard operators, with the generator of their noise in integers.

tf2onnx translates the graphs. What it lacks, or gets wrong, are functions of `operators.onnxtxt`,
which are written out; each file is then asked once, and must answer as the model does.
"""

import pathlib

import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.generative import Endpoint
from zoo.serving.endpoints import CannotGoError, silent, write_checked

OPSET = 18  # the first with bitwise operators
DOMAIN = "zoo"
_OPERATORS = pathlib.Path(__file__).with_name("operators.onnxtxt")
# What the name of a function ends in, by the value of an attribute; types are ONNX's numbers.
_VARIANTS = {
    "StatelessRandomUniformFullIntV2": ("dtype", {6: "", 12: "_uint32"}),
    "StatelessRandomUniformV2": ("dtype", {1: "", 11: "_double"}),
    "StatelessRandomNormalV2": ("dtype", {1: ""}),
    "OneHot": ("axis", {-1: "", 0: "_first"}),
}
# By operator, which attributes transpose its two inputs.
_TRANSPOSED = {"MatMul": ("transpose_a", "transpose_b"), "BatchMatMulV2": ("adj_x", "adj_y")}


def libraries():
    """Imports what exports to ONNX need.

    Returns:
      The modules onnx, onnxruntime and tf2onnx.

    Raises:
      UsageError: if they are not installed.
    """
    try:
        import onnx.inliner
        import onnx.parser
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise UsageError(
            f"format: 'onnx' needs {error.name}; pip install 'mcmc-zoo[onnx]'."
        ) from None
    return onnx, onnxruntime, tf2onnx


def write(endpoint: Endpoint, path: pathlib.Path) -> list[str]:
    """Writes an endpoint to ONNX, as `write_checked`."""
    names = list(endpoint.inputs)
    return write_checked(
        endpoint,
        path,
        lambda function: _translated(function, names).SerializeToString(),
        lambda content, asked: session(content).run(None, asked),
    )


def _translated(function, names):
    """The graph of a concrete function, whose inputs get these names, as an ONNX model."""
    onnx, _, tf2onnx = libraries()
    inputs = [tensor.name for tensor in function.inputs[: len(names)]]
    outputs = [tensor.name for tensor in function.outputs]
    functions = _functions()
    known_functions = {each.name for each in functions}
    handlers = {name: (_handler, []) for name in known_functions}
    handlers |= dict.fromkeys(_TRANSPOSED, (_matmul, []))
    frozen = tf2onnx.tf_loader.from_function(function, inputs, outputs)
    with silent("tf2onnx"), tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        translated = tf2onnx.tfonnx.process_tf_graph(
            graph,
            continue_on_error=True,
            opset=OPSET,
            extra_opset=[onnx.helper.make_opsetid(DOMAIN, 1)],
            custom_op_handlers=handlers,
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=dict(zip(inputs, names, strict=True))
            | dict(zip(outputs, sorted(function.structured_outputs), strict=True)),
        )
        model = translated.make_model("endpoint of the MCMC zoo")
    for graph in _graphs(model.graph):
        del graph.value_info[:]  # shapes and types that translated operators may not keep
        for node in graph.node:
            if node.domain == DOMAIN:
                del node.attribute[:]
                known = node.op_type in known_functions
            else:
                known = onnx.defs.has(node.op_type, node.domain)
            if not known:
                raise CannotGoError(f"has an operator without a translation, {node.op_type}")
    model.functions.extend(functions)
    return onnx.inliner.inline_local_functions(model)


def _functions():
    """The functions of `operators.onnxtxt`, which an empty line parts."""
    onnx, _, _ = libraries()
    header = f'<domain: "{DOMAIN}", opset_import: ["": {OPSET}, "{DOMAIN}": 1]>\n'
    texts = _OPERATORS.read_text(encoding="utf-8").split("\n\n")
    return [onnx.parser.parse_function(header + text) for text in texts]


def _handler(graph, node, name, args):
    """Makes a node of TensorFlow a call of the function of its name."""
    if node.type in _VARIANTS:
        attribute, ends = _VARIANTS[node.type]
        node.type += ends.get(node.get_attr_value(attribute), "_other")
    node.domain = DOMAIN


def _matmul(graph, node, name, args):
    """As tf2onnx translates it; but where that does not know a rank, it forgets to transpose."""
    matrices = node.type == "MatMul"  # and not stacks of them
    swap = ("Transpose", {"perm": [1, 0]}) if matrices else ("Einsum", {"equation": "...ij->...ji"})
    for i, attribute in enumerate(_TRANSPOSED[node.type]):
        if node.get_attr_value(attribute):
            graph.insert_new_node_on_input(node, swap[0], node.input[i], input_index=i, **swap[1])
    node.type = "MatMul"


def _graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def session(model: bytes | pathlib.Path):
    """Opens an endpoint in ONNX Runtime, on the CPU.

    Args:
      model: the content of a file, or its path.

    Returns:
      Its `onnxruntime.InferenceSession`.
    """
    _, onnxruntime, _ = libraries()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    content = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
