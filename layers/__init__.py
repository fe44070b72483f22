"""Keras layers and networks that the models are made of: tensors in, tensors out."""

from layers.fold import fold
from layers.networks import mlp
from layers.shear import Shear

__all__ = ["Shear", "fold", "mlp"]
