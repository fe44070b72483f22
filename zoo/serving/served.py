"""What a server asks: the signatures of a model, or of an export as TensorFlow alone loads it."""

import pathlib
import re
import threading
from collections.abc import Callable, Collection

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_choice
from zoo.core.generative import GenerativeModel
from zoo.serving.export import concrete_function

_REFUSED = re.compile(r"assertion failed: \[(.*?)\](?: \[(.*)\])?$", re.MULTILINE)
_KINDS = {"f": "fiu", "i": "iu", "b": "b"}  # of numbers that are taken for one of a type


class Served:
    """The signatures that a server answers by, under one name.

    Args:
      name: of the model, in addresses.
      inputs: what each of its signatures takes, by name; the first signature is the default.
      make: makes a signature's concrete function, which takes its inputs by name.
      model: the model itself, where Python has it; an export has none.
      code: Python that loads the model, for users to copy.
    """

    def __init__(
        self,
        name: str,
        inputs: dict[str, dict[str, tf.TensorSpec]],
        make: Callable[[str], tf.types.experimental.ConcreteFunction],
        model: GenerativeModel | None = None,
        code: str = "",
    ):
        self.name, self.inputs, self.model, self.code = name, inputs, model, code
        self._make, self._made, self._lock = make, {}, threading.Lock()

    @property
    def signatures(self) -> tuple[str, ...]:
        """Their names, the default first."""
        return tuple(self.inputs)

    def specs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """What a signature takes, by name.

        Raises:
          UsageError: for an unknown signature.
        """
        check_choice("signature_name", signature, self.signatures)
        return self.inputs[signature]

    def function(self, signature: str) -> tf.types.experimental.ConcreteFunction:
        """One of `signatures`, which is traced when it is first asked for."""
        with self._lock:
            if signature not in self._made:
                self._made[signature] = self._make(signature)
            return self._made[signature]

    def ask(self, signature: str, inputs: dict) -> dict[str, np.ndarray]:
        """Answers a request.

        Args:
          signature: one of `signatures`.
          inputs: anything that NumPy takes for arrays, by name; all of the signature's.

        Returns:
          Its outputs, by name.

        Raises:
          UsageError: for an input that is missing, unknown, or that its field refuses.
        """
        specs = self.specs(signature)
        check_names(inputs, specs)
        tensors = {name: _as_tensor(spec, inputs[name], name) for name, spec in specs.items()}
        try:
            answer = self.function(signature)(**tensors)
            return {name: answer[name].numpy() for name in sorted(answer)}
        except tf.errors.InvalidArgumentError as error:
            found = _REFUSED.search(error.message)
            if found is None:
                raise
            sentence, value = found.groups()
            raise UsageError(f"{sentence} [{value}]." if value is not None else sentence) from None


def serve_model(name: str, model: GenerativeModel, code: str = "") -> Served:
    """Serves a model of Python by the signatures that its export would have.

    Args:
      name: of it, in addresses.
      model: a built model.
      code: as `Served`.
    """
    model.prepare_for_scores(model.score_seed)
    endpoints = model.signatures()
    inputs = {
        signature: {key: field.spec(key) for key, field in endpoint.inputs.items()}
        for signature, endpoint in endpoints.items()
    }
    return Served(name, inputs, lambda key: concrete_function(endpoints[key]), model, code)


def serve_export(name: str, path: str | pathlib.Path) -> Served:
    """Serves an export of `zoo.export`.

    Raises:
      UsageError: if there is none at `path`.
    """
    if not (pathlib.Path(path) / "saved_model.pb").is_file():
        raise UsageError(f"export: there is no SavedModel at {str(path)!r}.")
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"export: {str(path)!r} cannot be loaded: {reason}.") from None
    functions = dict(loaded.signatures)
    functions.pop("serving_default", None)
    code = f"tf.saved_model.load({str(path)!r})"
    inputs = {
        signature: functions[signature].structured_input_signature[1]
        for signature in sorted(functions, key="sample".__ne__)
    }
    served = Served(name, inputs, functions.__getitem__, code=code)
    served.loaded = loaded  # whose variables go with it
    return served


def check_names(names: Collection[str], specs: Collection[str]) -> None:
    """Refuses inputs that are missing, or that a signature does not take.

    Raises:
      UsageError: naming the first such input, and all that there are.
    """
    known = f"the signature takes {', '.join(specs)}."
    for name in sorted(set(names) - set(specs)):
        raise UsageError(f"inputs: there is no {name[:50]!r}; {known}")
    for name in sorted(set(specs) - set(names)):
        raise UsageError(f"{name} must be given: {known}")


def _as_tensor(spec, value, name):
    dtype = np.dtype(spec.dtype.as_numpy_dtype)
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        array = np.asarray(None)
    kind = _KINDS[dtype.kind if dtype.kind != "u" else "i"]
    if array.dtype.kind not in kind and array.size:
        raise UsageError(f"{name} must hold numbers of {dtype}, in rows of equal lengths.")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    kept = np.array_equal(cast, array) if dtype.kind in "iu" else not np.isinf(cast).any()
    if not kept:
        raise UsageError(f"{name} must hold numbers of {dtype}; one is out of its range.")
    return tf.constant(cast, spec.dtype)
