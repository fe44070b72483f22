"""Data sources: `load` gives pipelines and the facts that a model needs."""

from zoo.data.masks import MASKS, completion_masks, hidden_mse, mask
from zoo.data.sources import Data, load

__all__ = ["MASKS", "Data", "completion_masks", "hidden_mse", "load", "mask"]
