"""Exports: a model's endpoints as pure functions of their inputs, for programs without the zoo."""

import pathlib
import tempfile

import tensorflow as tf

from zoo.core.checks import UsageError, check_choice
from zoo.core.choices import EXPORT_FORMATS
from zoo.core.generative import Endpoint, GenerativeModel
from zoo.serving.endpoints import write_endpoints

# By format, names of its files; the first is there in every export.
EXPORTED = {
    "saved_model": ("saved_model.pb", "*.pb", "variables.*", "tf_serving_warmup_requests"),
    "onnx": ("endpoints.json", "*.onnx"),
    "litert": ("endpoints.json", "*.tflite"),
}


def export(
    model: GenerativeModel, path: str | pathlib.Path, format: str = "saved_model"
) -> dict[str, str]:
    """Writes what a model answers for other programs; an older export is replaced.

    A SavedModel holds the model's `signatures`, and loading it needs nothing but TensorFlow. Its
    functions are those of `concrete_functions`, of which the first is `serving_default`, too. A
    request for each lies in `assets.extra`, with which TensorFlow Serving warms up.

    The other formats have a file for each endpoint that can go and `endpoints.json`, which tells
    of them; `decode` is added, E[x given z]. Each file has been asked, and answers as the model
    does: the noise of ONNX files is drawn in them from their input `seed`.

    Args:
      model: a built model.
      path: the directory to write: a new one, or an older export of this format.
      format: "saved_model", "onnx" (with the extra `onnx`) or "litert".

    Returns:
      Why endpoints were left out, by name: what ends a sentence. A SavedModel has all.

    Raises:
      UsageError: if something else is at `path`, or a file of somebody's own in it, for another
        format, or one whose packages are not installed.
    """
    check_choice("format", format, EXPORT_FORMATS)
    path = pathlib.Path(path)
    _check_older(path, EXPORTED[format])
    write = _WRITERS[format]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as partial:
        written = pathlib.Path(partial) / "export"
        left_out = write(model, written)
        if path.exists():
            path.rename(f"{partial}/older")
        written.rename(path)
    return left_out


def _check_older(path, patterns):
    if path.exists() and not (path / patterns[0]).is_file():
        raise UsageError(f"path must be new or hold an older export; {str(path)!r} is neither.")
    for file in path.rglob("*"):
        if not file.is_dir() and not any(file.match(pattern) for pattern in patterns):
            raise UsageError(
                f"path must hold an older export alone, which is replaced; {str(path)!r} holds "
                f"{str(file.relative_to(path))!r}, which no export wrote."
            )


def _write_saved_model(model, folder):
    # Not by Keras's ExportArchive, which would trace each endpoint twice.
    functions = concrete_functions(model)
    archive = tf.Module()
    archive.used = [variable for function in functions.values() for variable in function.variables]
    default = next(iter(functions.values()))
    tf.saved_model.save(archive, str(folder), functions | {"serving_default": default})
    _write_warmup(folder, model.signatures())
    return {}


def _write_onnx(model, folder):
    from zoo.serving import onnx_export  # which asks for packages of an extra

    onnx_export.libraries()
    return write_endpoints(model, folder, onnx_export.write, ".onnx")


def _write_litert(model, folder):
    from zoo.serving import litert_export  # whose converter is slow to import

    return write_endpoints(model, folder, litert_export.write, ".tflite")


_WRITERS = {"saved_model": _write_saved_model, "onnx": _write_onnx, "litert": _write_litert}


def concrete_functions(model: GenerativeModel) -> dict[str, tf.types.experimental.ConcreteFunction]:
    """Traces the model's endpoints as an export holds them.

    They are not compiled by XLA, which a serving binary may lack, take their seed as an int32[2]
    input, and take batches of any size. An input of a wrong shape, or with a value that its field
    does not allow, is refused by its name (`tf.errors.InvalidArgumentError`).

    Args:
      model: a built model.

    Returns:
      A function for each of its `signatures`, by name, which takes its inputs by name.
    """
    model.prepare_for_scores(model.score_seed)
    return {name: concrete_function(endpoint) for name, endpoint in model.signatures().items()}


def concrete_function(endpoint: Endpoint) -> tf.types.experimental.ConcreteFunction:
    """Traces one endpoint of a model that is prepared for scores, as `concrete_functions`."""
    specs = [field.spec(key) for key, field in endpoint.inputs.items()]
    return tf.function(_checked(endpoint), autograph=False).get_concrete_function(*specs)


def _checked(endpoint: Endpoint):
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
        checks = [check for name in fields for check in _assertions(name, fields, named)]
        with tf.control_dependencies(checks):
            return endpoint.function(**{name: tf.identity(t) for name, t in named.items()})

    return serve


def _assertions(name, fields, named):
    field, tensor = fields[name], named[name]
    shape, batched = _shape(tensor), int(field.batched)
    text = ", ".join([*["N"] * batched, *map(str, field.shape)])
    yield tf.debugging.Assert(
        _same(shape[batched:], list(field.shape)),
        [f"{name} must have the shape [{text}]; it was", shape],
        summarize=8,
    )
    if batched:
        first = next(other for other in fields if fields[other].batched)
        yield tf.debugging.Assert(
            _batch_size(tensor) > 0, [f"{name} must hold at least one example."]
        )
        yield tf.debugging.Assert(
            tf.equal(_batch_size(tensor), _batch_size(named[first])),
            [f"{name} must be a batch as long as {first}; it was", shape],
            summarize=8,
        )
    yield tf.debugging.Assert(field.allows(tensor), [f"{name} {field.rule}; it was", tensor])


def _shape(tensor):
    # TensorFlow takes the shape of an input to be that of the signature, whatever came, and decides
    # comparisons by it; through a list it does not see.
    hidden = tf.TensorArray(tensor.dtype, 1, infer_shape=False).write(0, tensor).read(0)
    return tf.shape(hidden)


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
