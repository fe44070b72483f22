"""What follows an import: of Keras after the zoo, and of a name of an earlier version.

`import zoo` alone must not wait for Keras, and files are often read by `keras.saving.load_model`:
Keras knows the zoo's classes once both are imported, whichever was the first.
"""

import importlib.machinery
import sys

_OURS = ("zoo", "layers", "samplers")


class _KerasFinder:
    """A finder of Keras alone, whose import registers the classes of the zoo when it is done."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname != "keras":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                _register()

            spec.loader.exec_module = exec_module
        return spec


def _register():
    """Imports all methods and parts, unless a module of the zoo is what has imported Keras."""
    # It is not whole yet, so that others could not import what they need of it.
    ours = [module for name, module in list(sys.modules.items()) if name.split(".")[0] in _OURS]
    specs = [getattr(module, "__spec__", None) for module in ours]
    if not any(getattr(spec, "_initializing", False) for spec in specs):
        importlib.import_module("zoo.models")


class _OldNames:
    """A finder that is asked for what no other has found, and tells what replaced it."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        package, _, name = fullname.partition(".")
        if package == "zoo":
            importlib.import_module("zoo.core.renamed").check_import(name)


def begin() -> None:
    """Registers the classes of the zoo if Keras is here, and has both finders asked from now on."""
    sys.meta_path.append(_OldNames)
    if "keras" in sys.modules:
        importlib.import_module("zoo.models")
    else:
        sys.meta_path.insert(0, _KerasFinder)
