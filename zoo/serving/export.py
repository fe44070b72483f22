"""SavedModels: a model's endpoints as pure functions of their inputs, for TensorFlow alone."""

import pathlib
import tempfile

import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.trainable import GenerativeModel


def export(model: GenerativeModel, path: str) -> None:
    """Writes the model's `signatures` as a SavedModel; an older export is replaced.

    Endpoints are not compiled by XLA, take their seed as an int32[2] input, and serve batches of
    any size. Loading needs nothing but TensorFlow. An input of a wrong shape, NaN, a pixel outside
    [0, 1] or a count below 1 is refused by its name (`tf.errors.InvalidArgumentError`). The first
    signature is `serving_default`, too. A request for each lies in `assets.extra`, with which
    TensorFlow Serving warms up.

    Args:
      model: a built model.
      path: of the directory to write: a new one, or an older export.

    Raises:
      UsageError: if something else is at `path`.
    """
    path = pathlib.Path(path)
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise UsageError(f"path must be new or hold an older export; {str(path)!r} is neither.")
    endpoints = model.signatures()
    # Not by Keras's ExportArchive, which would trace each endpoint twice.
    signatures = {
        name: tf.function(_checked(endpoint, specs), autograph=False).get_concrete_function(*specs)
        for name, (endpoint, specs) in endpoints.items()
    }
    archive = tf.Module()
    archive.used = [variable for function in signatures.values() for variable in function.variables]
    default = next(iter(signatures.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as partial:
        written = pathlib.Path(partial) / "export"
        tf.saved_model.save(archive, str(written), signatures | {"serving_default": default})
        _write_warmup(written, endpoints, model.visible)
        if path.exists():
            path.rename(f"{partial}/older")
        written.rename(path)


def _checked(endpoint, specs):
    """The endpoint, after a check of every input against its spec; signatures make none."""

    def serve(*inputs):
        named = {spec.name: tensor for spec, tensor in zip(specs, inputs, strict=True)}
        if "visible" in named:
            # What is hidden is not looked at; a mask that does not fit is told below.
            fits = _same(_shape(named["visible"]), _shape(named["x"]))
            named["x"] = tf.cond(
                fits,
                lambda: tf.where(named["visible"], named["x"], 0.0),
                lambda: named["x"],
            )
        checks = [check for spec in specs for check in _assertions(spec, named)]
        with tf.control_dependencies(checks):
            return endpoint(*(tf.identity(tensor) for tensor in named.values()))

    return serve


def _assertions(spec, named):
    name, tensor = spec.name, named[spec.name]
    shape = _shape(tensor)
    wanted = spec.shape.as_list()
    batched = wanted[:1] == [None]
    text = ", ".join("N" if size is None else str(size) for size in wanted)
    yield tf.debugging.Assert(
        _same(shape[int(batched) :], wanted[int(batched) :]),
        [f"{name} must have the shape [{text}]; it was", shape],
        summarize=8,
    )
    if batched:
        yield tf.debugging.Assert(
            _batch_size(tensor) > 0, [f"{name} must hold at least one example."]
        )
        yield tf.debugging.Assert(
            tf.equal(_batch_size(tensor), _batch_size(named["x"])),
            [f"{name} must be a batch as long as x; it was", shape],
            summarize=8,
        )
    if spec.dtype.is_floating:
        pixels = tf.reshape(tensor, [-1])  # whose rank is right, whatever came
        fine = tf.reduce_all((pixels >= 0) & (pixels <= 1))  # false for NaN, too
        yield tf.debugging.Assert(fine, [f"{name} must hold finite pixels in [0, 1]."])
    if name.startswith("num_"):
        fine = tf.reduce_all(tensor > 0)
        yield tf.debugging.Assert(fine, [f"{name} must be greater than 0; it was", tensor])


def _shape(tensor):
    # A static shape would decide comparisons while tracing.
    return tf.shape(tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=None))


def _batch_size(tensor):
    return tf.reduce_prod(_shape(tensor)[:1])  # 1 of a scalar, whose rank is told elsewhere


def _same(shape, other):
    return tf.cond(
        tf.equal(tf.size(shape), tf.size(other)),
        lambda: tf.reduce_all(tf.equal(shape, other)),
        lambda: False,
    )


def _write_warmup(path, endpoints, visible):
    """A smallest request for each signature, as TensorFlow Serving reads them.

    A mask shows everything, unless the model takes one alone.
    """
    from tensorflow_serving.apis import prediction_log_pb2  # slow to import, and only used here

    assets = path / "assets.extra"
    assets.mkdir()
    with tf.io.TFRecordWriter(str(assets / "tf_serving_warmup_requests")) as writer:
        for name, (_, inputs) in endpoints.items():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = name
            for spec in inputs:
                shape = [1 if size is None else size for size in spec.shape]
                value = tf.ones(shape, spec.dtype)
                if spec.name == "visible" and visible is not None:
                    value = visible[None]
                request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
