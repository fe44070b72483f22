"""Data sources: `load` gives pipelines and the facts that a model needs."""

from zoo.data.masks import MASKS, mask
from zoo.data.sources import Data, load

__all__ = ["MASKS", "Data", "load", "mask"]
