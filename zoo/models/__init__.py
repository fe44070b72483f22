"""The methods, one file each: all files of this folder are imported, which registers them."""

import importlib
import pkgutil

from zoo.core import registry

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

_here = {
    name: method.cls
    for name, method in registry.methods().items()
    if method.cls.__module__.startswith(f"{__name__}.")
}
globals().update(_here)
__all__ = sorted(_here)
