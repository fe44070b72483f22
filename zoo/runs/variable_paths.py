"""Paths of a model's variables that are the same in every process that builds it."""

import re
from collections.abc import Iterator

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
        numbered = {}
        for variable in part.variables:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            names = variable.path.split("/")
            names = names[1:] if names[0] == part.name else names
            path = [attribute] if attribute else []
            for name in names:
                path.append(_numbered(name, path, numbered))
            yield "/".join(path), variable


def _numbered(name, prefix, numbered):
    """The name with its number among those of the same stem that were met below a prefix."""
    stem = _stem(name)
    met = numbered.setdefault((*prefix, stem), [])
    if name not in met:
        met.append(name)
    number = met.index(name)
    return f"{stem}_{number}" if number else stem


def _stem(name):
    return re.sub(r"_\d+$", "", name)


def _unused(path, found):
    """The path, numbered where layers of one name have made it twice."""
    if path not in found:
        return path
    return next(p for p in (f"{path}#{i}" for i in range(2, len(found) + 3)) if p not in found)
