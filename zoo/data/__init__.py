"""Data sets: `load` gives pipelines and the facts that a model needs.

All files of this folder are imported, which registers the sources.
"""

import importlib
import pkgutil

from zoo.data.labels import taught_by
from zoo.data.loading import Data, load
from zoo.data.masks import MASKS, completion_masks, hidden_mse, mask
from zoo.data.own_data import as_data, as_images
from zoo.data.registry import absolute_source, reader_of, register_source, source_name, sources
from zoo.data.splits import image_fields

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "MASKS",
    "Data",
    "absolute_source",
    "as_data",
    "as_images",
    "completion_masks",
    "hidden_mse",
    "image_fields",
    "load",
    "mask",
    "reader_of",
    "register_source",
    "source_name",
    "sources",
    "taught_by",
]
