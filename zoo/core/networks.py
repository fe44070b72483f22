"""Networks that a user gives: of known shapes, deterministic, and with outputs that suffice."""

import math
import re
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError


def as_network(name: str, network, event_shape: Sequence[int] | None = None) -> keras.Model:
    """Returns a network of which shapes are known, once it is known to fit a model.

    Args:
      name: of the argument, which errors name.
      network: a Keras model or layer, which may be subclassed, and not built yet.
      event_shape: what one of its inputs will be, where that is known.

    Returns:
      The network, or a functional one that calls it, with `input_shape` and `output_shape`.

    Raises:
      UsageError: for anything else, for several inputs or outputs, for unknown shapes, or for what
        is not a function of each example alone.
    """
    if not isinstance(network, keras.layers.Layer):
        raise UsageError(f"{name} must be a Keras model; it was a {type(network).__name__}.")
    if _shapes(network) is None:
        network = _with_shapes(name, network, event_shape or _shape_built_for(network))
    for role, shape in zip(("input", "output"), _shapes(network), strict=True):
        several = isinstance(getattr(network, role, None), dict | list | tuple)
        if several or not all(n is None or isinstance(n, int) for n in shape):
            number = len(tf.nest.flatten(getattr(network, role)))
            raise UsageError(f"{name} must have one {role}, and no structure; it has {number}.")
        if None in shape[1:]:
            raise UsageError(
                f"{name} must have an {role} of a known shape; it is {list(shape)}, where None may "
                "stand for the batch alone."
            )
    check_deterministic(**{name: network})
    if any(_is_own_code(layer) for layer in network._flatten_layers()):
        _check_by_calls(name, network)
    return network


def check_deterministic(**networks: keras.Model) -> None:
    """Refuses layers that make a chain's density depend on noise, or on the other examples.

    Raises:
      UsageError: naming the argument and the layer.
    """
    for name, network in networks.items():
        for layer in network._flatten_layers():
            # Whatever draws noise as Keras does has generators of its seeds.
            if isinstance(layer, _OF_THE_BATCH) or layer._seed_generators:
                raise UsageError(
                    f"{name} must not hold batch normalisation, dropout or noise layers, which "
                    f"change the density from call to call; it holds {layer.name!r}."
                )
            if getattr(layer, "activity_regularizer", None) is not None:
                raise UsageError(
                    f"{name} must not hold activity regularisers; {layer.name!r} has one."
                )


_OF_THE_BATCH = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)


def check_unshared(**networks: keras.layers.Layer | None) -> None:
    """Refuses networks that share weights: they would climb two objectives, and be saved apart.

    Raises:
      UsageError: naming the arguments and the weight.
    """
    owners = {}
    for name, network in networks.items():
        for variable in [] if network is None else network.variables:
            owner = owners.setdefault(id(variable), name)
            if owner != name:
                raise UsageError(
                    f"{name} must share no layer with {owner}; both hold {variable.path!r}."
                )


def as_cell(name: str, cell) -> keras.layers.Layer:
    """Returns a Keras cell, once it is known to be one whose first state is all it gives.

    Args:
      name: of the argument, which errors name.
      cell: such as `keras.layers.LSTMCell(64)`.

    Raises:
      UsageError: for anything else, among it whole recurrent layers and stacks of cells, and for
        dropout.
    """
    sizes = getattr(cell, "state_size", None)
    flat = isinstance(sizes, int) or (
        isinstance(sizes, list | tuple) and all(isinstance(size, int) for size in sizes)
    )
    several = isinstance(cell, keras.layers.RNN | keras.layers.StackedRNNCells)
    if not isinstance(cell, keras.layers.Layer) or several or not flat:
        raise UsageError(
            f"{name} must be a Keras cell, such as keras.layers.LSTMCell(64), and no layer or "
            f"stack of them; it was a {type(cell).__name__}."
        )
    for dropout in ("dropout", "recurrent_dropout"):
        if getattr(cell, dropout, 0):
            raise UsageError(f"{name} must have no {dropout}; it was {getattr(cell, dropout)}.")
    return cell


def check_input(name: str, network: keras.Model, size: int) -> None:
    """Refuses a network that takes another number of inputs.

    Raises:
      UsageError: naming the argument and both numbers.
    """
    if network.input_shape[1:] != (size,):
        raise UsageError(f"{name} must take {(size,)}; it takes {network.input_shape[1:]}.")


def check_vectors(**networks: keras.Model) -> None:
    """Refuses networks that do not map vectors to vectors, [N, n] to [N, m].

    Raises:
      UsageError: naming the argument and its shapes.
    """
    for name, network in networks.items():
        shapes = network.input_shape[1:], network.output_shape[1:]
        if [len(shape) for shape in shapes] != [1, 1]:
            raise UsageError(
                f"{name} must take and give vectors, [N, n] and [N, m]; its shapes are "
                f"{' and '.join(map(str, shapes))}."
            )


def check_logits(name: str, network: keras.Model) -> None:
    """Refuses a network that gives no logits [N, C], but for instance what a softmax makes of them.

    Args:
      name: of the argument, which errors name.
      network: of known shapes.

    Raises:
      UsageError: naming the shape, or the layer that keeps numbers in a range.
    """
    if len(network.output_shape) != 2:
        raise UsageError(f"{name} must give logits, (C,); it gives {network.output_shape[1:]}.")
    low, high, layer = output_range(network)
    if low >= -1 or high <= 1:
        raise UsageError(
            f"{name} must give logits; the activation of its layer {layer!r} gives only numbers "
            f"from {low:g} to {high:g}: give that layer activation=None."
        )


def check_reach(decoder: keras.Model, reach: tuple[float, float], outputs: str) -> None:
    """Refuses a decoder whose last activation keeps its outputs from where they must go.

    Args:
      decoder: of known shapes.
      reach: from where to where they must be able to go.
      outputs: what they are to be, which the error names.

    Raises:
      UsageError: naming the layer and what to do.
    """
    low, high, layer = output_range(decoder)
    if low > reach[0] or high < reach[1]:
        raise UsageError(
            f"decoder must give {outputs}; the activation of its layer {layer!r} gives only "
            f"numbers from {low:g} to {high:g}: give that layer activation=None."
        )


def output_range(network: keras.Model) -> tuple[float, float, str]:
    """Tells what outputs a network can give at most, by the operations that it ends in.

    Args:
      network: of known shapes.

    Returns:
      The lowest and the highest output, infinite where nothing bounds them, and the name of the
      layer that does.
    """
    spec = tf.TensorSpec([None, *network.input_shape[1:]], network.variable_dtype)
    inlines = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)  # a user's function is traced inline, to be looked into
    try:
        traced = tf.function(lambda x: network(x), autograph=False).get_concrete_function(spec)
    finally:
        tf.config.run_functions_eagerly(inlines)
    low, high, operation = _range_of(traced.graph.outputs[0].op)
    scopes = [re.sub("_1$", "", scope) for scope in operation.split("/")]
    names = {layer.name for layer in network._flatten_layers()}
    return low, high, next((s for s in reversed(scopes) if s in names), network.name)


def _shapes(network):
    try:
        return network.input_shape, network.output_shape
    except (AttributeError, ValueError):
        return None


def _shape_built_for(network):
    shape = (network.get_build_config() or {}).get("input_shape")
    return None if shape is None else shape[1:]


def _with_shapes(name, network, event_shape):
    if event_shape is None:
        raise UsageError(
            f"{name} must be built, so that its shapes are known: call {network.name!r} once on a "
            "batch, or make the model by for_data."
        )
    inputs = keras.Input(tuple(event_shape))
    try:
        outputs = network(inputs)
    except Exception as error:  # a user's code can raise anything
        raise UsageError(
            f"{name} must take [N, {', '.join(map(str, event_shape))}]; "
            f"{network.name!r} does not: {_reason(error)}"
        ) from error
    if _shapes(network) is None:
        network = keras.Model(inputs, outputs, name=network.name)
    return network


def _reason(error):
    """What a layer raised, of which Keras tells where first, and what it was given last."""
    text = str(error).replace("\\n", "\n").replace("\\x1b", "\x1b")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).rpartition("Error encountered:")[2]
    lines = [line.strip() for line in text.partition("Arguments received by")[0].splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered when")]
    return said[0] if said else type(error).__name__


def _is_own_code(layer):
    return isinstance(layer, keras.layers.Lambda) or not type(layer).__module__.startswith(
        ("keras.", "layers.")
    )


def _check_by_calls(name, network):
    """Of code that nobody knows: the same again, and the same for an example by itself."""
    x = np.random.default_rng(0).random([3, *network.input_shape[1:]]).astype("float32")
    outputs = [network(batch) for batch in (x, x, x[:1])]
    if not tf.as_dtype(outputs[0].dtype).is_floating:
        raise UsageError(f"{name} must give floats; it gives {outputs[0].dtype!r}.")
    both, again, alone = map(np.asarray, outputs)
    if adds := [layer.name for layer in network._flatten_layers() if layer._losses]:
        raise UsageError(
            f"{name} must not add losses, which are no part of a method's objectives; "
            f"{adds[0]!r} adds one."
        )
    if not np.array_equal(both, again, equal_nan=True):
        raise UsageError(f"{name} must give the same each time it is called; it draws noise.")
    if not np.allclose(both[:1], alone, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise UsageError(f"{name} must look at each example alone; others in the batch change it.")


_RANGES = {
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Erf": (-1.0, 1.0),
    "Sin": (-1.0, 1.0),
    "Cos": (-1.0, 1.0),
    "Relu": (0.0, math.inf),
    "Relu6": (0.0, 6.0),
    "Softplus": (0.0, math.inf),
    "Exp": (0.0, math.inf),
    "Square": (0.0, math.inf),
    "Abs": (0.0, math.inf),
    "Elu": (-1.0, math.inf),
    "Selu": (-1.76, math.inf),
    "LogSoftmax": (-math.inf, 0.0),
}
_PASSED_BY = (
    *("Identity", "StopGradient", "Cast", "Reshape", "Squeeze", "ExpandDims", "Transpose"),
    *("Slice", "StridedSlice", "GatherV2", "Tile", "BroadcastTo", "ReverseV2"),
    *("ResizeNearestNeighbor", "ResizeBilinear", "MaxPool", "AvgPool", "MirrorPad"),
)
_JOINED = ("ConcatV2", "Pack")
_ARITHMETIC = {
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Neg": np.negative,
}


def _range_of(operation):
    """The range of an operation's output, and the name of what bounds it."""
    inputs = list(operation.inputs)
    if operation.type in _PASSED_BY:
        return _range_of(inputs[0].op)
    if operation.type in _RANGES:
        return *_RANGES[operation.type], operation.name
    if operation.type in _JOINED:
        ranges = [_range_of(tensor.op) for tensor in inputs if tensor.dtype.is_floating]
        return min(r[0] for r in ranges), max(r[1] for r in ranges), ranges[-1][2]
    known = [tf.get_static_value(tensor) for tensor in inputs]
    if operation.type in _ARITHMETIC and sum(value is None for value in known) == 1:
        name = operation.name
        ends = []
        for tensor, value in zip(inputs, known, strict=True):
            if value is None:
                *found, name = _range_of(tensor.op)
                ends.append(np.array(found))
            else:
                ends.append(np.array(value)[..., None])
        with np.errstate(invalid="ignore"):
            values = _ARITHMETIC[operation.type](*ends)
        return float(values.min()), float(values.max()), name
    return -math.inf, math.inf, operation.name
