"""Keras layers and networks that the models are made of: tensors in, tensors out."""

from layers.fold import fold
from layers.networks import mlp
from layers.policy import made_by
from layers.shear import Shear
from layers.top_down import BLOCKS, TopDown, bottom_up, descend, latent_dims

__all__ = [
    "BLOCKS",
    "Shear",
    "TopDown",
    "bottom_up",
    "descend",
    "fold",
    "latent_dims",
    "made_by",
    "mlp",
]
