"""LiteRT, once TensorFlow Lite: endpoints that draw no random numbers, in its own operators."""

import pathlib
import warnings

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from zoo.core.generative import Endpoint
from zoo.serving.endpoints import CannotGoError, first_line, silent, write_checked


def write(endpoint: Endpoint, path: pathlib.Path) -> list[str]:
    """Writes an endpoint to LiteRT, as `write_checked`; none that draws random numbers can go."""
    if "seed" in endpoint.inputs:
        raise CannotGoError("draws random numbers, by a generator that LiteRT does not have")
    return write_checked(endpoint, path, _translated, _answer)


def _translated(function):
    frozen = convert_variables_to_constants_v2(function)
    graph = frozen.graph.as_graph_def()
    for node in graph.node:
        if node.op == "EnsureShape":  # which LiteRT lacks, and which changes no number
            node.op = "Identity"
            del node.attr["shape"]
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    tensor = imported.graph.get_tensor_by_name
    names = sorted(function.structured_outputs)
    outputs = {k: tensor(v.name) for k, v in zip(names, frozen.outputs, strict=True)}
    plain = imported.prune([tensor(each.name) for each in frozen.inputs], outputs)
    with silent("absl"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([plain], tf.Module())
        try:
            return converter.convert()
        except Exception as error:
            lacking = [line for line in str(error).splitlines() if line.startswith("TF Select ops")]
            reason = lacking[0].split(": ")[1] if lacking else first_line(error)
            raise CannotGoError(f"has operators that LiteRT lacks: {reason}") from None


def _answer(content, asked):
    with warnings.catch_warnings(action="ignore"):  # it moves to a package of its own
        interpreter = tf.lite.Interpreter(model_content=content)
    runner = interpreter.get_signature_runner()
    answer = runner(**asked)
    return [answer[name] for name in sorted(answer)]
