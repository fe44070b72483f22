"""Data sources: `load` gives pipelines and the facts that a model needs."""

from zoo.data.sources import Data, load, mask

__all__ = ["Data", "load", "mask"]
