"""SavedModels: a model's endpoints as pure functions of their inputs, for TensorFlow alone."""

import pathlib
import tempfile

import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.generative import GenerativeModel


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
    signatures = {}
    for name, endpoint in endpoints.items():
        specs = [field.spec(key) for key, field in endpoint.inputs.items()]
        served = tf.function(_checked(endpoint), autograph=False)
        signatures[name] = served.get_concrete_function(*specs)
    archive = tf.Module()
    archive.used = [variable for function in signatures.values() for variable in function.variables]
    default = next(iter(signatures.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as partial:
        written = pathlib.Path(partial) / "export"
        tf.saved_model.save(archive, str(written), signatures | {"serving_default": default})
        _write_warmup(written, endpoints)
        if path.exists():
            path.rename(f"{partial}/older")
        written.rename(path)


def _checked(endpoint):
    """The endpoint, after a check of every input by its field; signatures make none."""
    fields = endpoint.inputs

    def serve(*inputs):
        named = dict(zip(fields, inputs, strict=True))
        if "visible" in named:
            # What is hidden is not looked at; a mask that does not fit is told below.
            fits = _same(_shape(named["visible"]), _shape(named["x"]))
            named["x"] = tf.cond(
                fits,
                lambda: tf.where(named["visible"], named["x"], 0.0),
                lambda: named["x"],
            )
        checks = [check for name in fields for check in _assertions(name, fields[name], named)]
        with tf.control_dependencies(checks):
            return endpoint.function(**{name: tf.identity(t) for name, t in named.items()})

    return serve


def _assertions(name, field, named):
    tensor = named[name]
    shape, batched = _shape(tensor), int(field.batched)
    text = ", ".join([*["N"] * batched, *map(str, field.shape)])
    yield tf.debugging.Assert(
        _same(shape[batched:], list(field.shape)),
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
    yield tf.debugging.Assert(field.allows(tensor), [f"{name} {field.rule}; it was", tensor])


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


def _write_warmup(path, endpoints):
    """A smallest request for each signature, as TensorFlow Serving reads them."""
    from tensorflow_serving.apis import prediction_log_pb2  # slow to import, and only used here

    assets = path / "assets.extra"
    assets.mkdir()
    with tf.io.TFRecordWriter(str(assets / "tf_serving_warmup_requests")) as writer:
        for name, endpoint in endpoints.items():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = name
            for key, field in endpoint.inputs.items():
                value = tf.constant(field.example())
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
