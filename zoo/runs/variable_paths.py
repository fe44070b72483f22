"""Paths of a model's variables that are the same in every process that builds it."""

import re
from collections.abc import Iterable, Iterator

import keras


def variable_paths(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable of a compiled model and of its optimizer, by a path of its own.

    Keras numbers layers by what a process has made before: the first model's decoder may begin with
    `dense_2`, the second one's with `dense_6`. Here a path begins with the model's attribute that
    holds the variable, and layers are numbered within it, as in `model/decoder/dense_1/kernel`. The
    optimizer's variables follow those of the model, as in
    `optimizer/adam/model/decoder/dense_1/kernel/momentum`.

    Args:
      model: compiled, its optimizer built.

    Returns:
      The variables by path, those of the model first.
    """
    found, known = {}, {}
    for path, variable in _model_paths(model):
        found[_unused(f"model/{path}", found)] = variable
        known.setdefault(variable.path.replace("/", "_") + "_", next(reversed(found)))
    for variable in model.optimizer.variables:
        root, _, name = variable.path.rpartition("/")
        owner = max((o for o in known if name.startswith(o)), key=len, default=None)
        if owner is not None:
            name = f"{known[owner]}/{name.removeprefix(owner)}"
        found[_unused(f"optimizer/{_stem(root)}/{name}", found)] = variable
    return found


def _model_paths(model) -> Iterator[tuple[str, keras.Variable]]:
    """Paths below the model's attributes, and then those of what the model itself holds."""
    seen = set()
    parts = [(k, v) for k, v in vars(model).items() if isinstance(v, keras.layers.Layer)]
    for attribute, part in [*parts, ("", model)]:
        owned = []
        for variable in part.variables:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            names = variable.path.split("/")
            names = names[1:] if names[0] == part.name else names
            # Networks inside a network name their layers before they are saved, and not after.
            owned.append((names[-2:], variable))
        numbers = _numbers(names for names, _ in owned)
        for names, variable in owned:
            path = [numbers[tuple(names[: i + 1])] for i in range(len(names))]
            yield "/".join([attribute, *path] if attribute else path), variable


def _numbers(paths: Iterable[list[str]]) -> dict[tuple[str, ...], str]:
    """The name that stands for the last one of each path: its stem, with its number among those of
    the same stem below the same names. They are numbered as Keras numbered them, in the order in
    which they were made, whatever the order of the variables.
    """
    below = {}
    for names in paths:
        for i, name in enumerate(names):
            below.setdefault((*names[:i], _stem(name)), {})[name] = None
    numbers = {}
    for (*prefix, stem), names in below.items():
        for number, name in enumerate(sorted(names, key=_suffix)):
            numbers[(*prefix, name)] = f"{stem}_{number}" if number else stem
    return numbers


def _suffix(name):
    return int(name.removeprefix(_stem(name)).removeprefix("_") or 0)


def _stem(name):
    return re.sub(r"_\d+$", "", name)


def _unused(path, found):
    """The path, numbered where layers of one name have made it twice."""
    if path not in found:
        return path
    return next(p for p in (f"{path}#{i}" for i in range(2, len(found) + 3)) if p not in found)
