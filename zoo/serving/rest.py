"""TensorFlow Serving's REST messages: requests in rows and columns, answers, status, metadata.

https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.serving.served import Served, check_names

VERSION = "1"  # each name has one version
_MOST_DIGITS = 400  # of a number in a request


class Request(NamedTuple):
    """What a body asks for.

    Attributes:
      signature: its name, or None for the default.
      inputs: values by name, or the value of a signature's only input.
      in_rows: whether it was asked, and is answered, row by row.
      num_rows: how many; 0 of columns.
    """

    signature: str | None
    inputs: dict | list
    in_rows: bool
    num_rows: int


def read_json(body: bytes) -> dict:
    """Reads a body.

    Raises:
      UsageError: if it is no JSON object in UTF-8.
    """
    try:
        found = json.loads(body.decode("utf-8"), parse_int=_whole)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"body must be a JSON object in UTF-8: {reason.rstrip('.')}.") from None
    if not isinstance(found, dict):
        raise UsageError(f"body must be a JSON object; it was a {type(found).__name__}.")
    return found


def check_keys(found: dict, known: Collection[str]) -> None:
    """Refuses a body that holds anything else.

    Raises:
      UsageError: naming it.
    """
    if unknown := found.keys() - set(known):
        told = f"{min(unknown)[:50]!r}"
        raise UsageError(f"body must hold nothing but {', '.join(known)}; it held {told}.")


def read_request(body: bytes) -> Request:
    """Reads a request to predict.

    Raises:
      UsageError: for no JSON object, or without exactly one of `instances` and `inputs`.
    """
    found = read_json(body)
    check_keys(found, ("signature_name", "instances", "inputs"))
    signature = found.get("signature_name")
    if signature is not None and not isinstance(signature, str):
        raise UsageError(f"signature_name must be a name; it was a {type(signature).__name__}.")
    if ("instances" in found) == ("inputs" in found):
        raise UsageError("body must hold either instances, which are rows, or inputs, columns.")
    if "inputs" in found:
        return Request(signature or None, found["inputs"], False, 0)
    rows = found["instances"]
    if not isinstance(rows, list) or not rows:
        raise UsageError("instances must be a list of at least one row.")
    return Request(signature or None, rows, True, len(rows))


def columns(request: Request, specs: dict[str, tf.TensorSpec]) -> dict:
    """The inputs of a request by name.

    A row has a value for each input. What has no axis of examples, such as `seed`, has the same
    value in all rows.

    Args:
      request: as it was read.
      specs: of the signature's inputs, by name.

    Returns:
      Values by name.

    Raises:
      UsageError: for rows that differ where they must not, or inputs without the right names.
    """
    given = request.inputs
    if not request.in_rows:
        given = given if isinstance(given, dict) else {_only(specs): given}
        check_names(given, specs)
        return given
    if not all(isinstance(row, dict) for row in given):
        return {_only(specs): given}
    names = given[0].keys()
    if any(row.keys() != names for row in given):
        raise UsageError("instances must be rows of the same inputs.")
    check_names(names, specs)
    batched = {name for name, spec in specs.items() if spec.shape[:1] == [None]}
    found = {}
    for name in names:
        values = [row[name] for row in given]
        if name not in batched and any(value != values[0] for value in values[1:]):
            raise UsageError(f"{name} must be the same in all instances: a request has one.")
        found[name] = values if name in batched else values[0]
    return found


def answer(outputs: dict[str, np.ndarray], in_rows: bool) -> bytes:
    """The body of an answer, in rows or in columns, as the request was."""
    if not in_rows:
        values = {name: value.tolist() for name, value in outputs.items()}
        return json.dumps({"outputs": _alone(values)}).encode()
    names = list(outputs)
    rows = zip(*(outputs[name].tolist() for name in names), strict=True)
    predictions = [_alone(dict(zip(names, row, strict=True))) for row in rows]
    return json.dumps({"predictions": predictions}).encode()


def status() -> dict:
    """That the version of a model is there: a GetModelStatusResponse."""
    from tensorflow_serving.apis import get_model_status_pb2  # slow to import

    message = get_model_status_pb2.GetModelStatusResponse()
    state = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
    message.model_version_status.add(version=int(VERSION), state=state).status.error_code = 0
    return _as_dictionary(message)


def metadata(served: Served) -> dict:
    """The signatures of a model: a GetModelMetadataResponse, whose map is not packed."""
    from tensorflow_serving.apis import get_model_metadata_pb2  # slow to import

    found = get_model_metadata_pb2.SignatureDefMap()
    for name in served.signatures:
        signature = found.signature_def[name]
        signature.method_name = "tensorflow/serving/predict"
        outputs = served.function(name).structured_outputs
        sides = (served.inputs[name], signature.inputs), (outputs, signature.outputs)
        for specs, filled in sides:
            for key, spec in specs.items():
                filled[key].name = f"{name}_{key}:0"
                filled[key].dtype = spec.dtype.as_datatype_enum
                filled[key].tensor_shape.CopyFrom(tf.TensorShape(spec.shape).as_proto())
    found.signature_def["serving_default"].CopyFrom(found.signature_def[served.signatures[0]])
    return {
        "model_spec": {"name": served.name, "signature_name": "", "version": VERSION},
        "metadata": {"signature_def": _as_dictionary(found)},
    }


def _as_dictionary(message):
    from google.protobuf import json_format

    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _alone(values):
    return next(iter(values.values())) if len(values) == 1 else values


def _only(specs):
    if len(specs) == 1:
        return next(iter(specs))
    raise UsageError(f"inputs must be given by name: the signature takes {', '.join(specs)}.")


def _whole(digits):
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)
