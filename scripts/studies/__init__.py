"""Toys of papers, which need no trained model: each a figure that registers itself as others do."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
