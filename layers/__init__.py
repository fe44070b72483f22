"""Keras layers and networks that the models are made of: tensors in, tensors out."""

from layers.constant import Constant, constant
from layers.convolution import convolutional_decoder, convolutional_encoder
from layers.flows import AdditiveCoupling, Flow, InverseAutoregressive, Mixing, Planar
from layers.fold import fold
from layers.glow import (
    COUPLINGS,
    ActNorm,
    GlowNetwork,
    ImageCoupling,
    InvertibleConvolution,
    started_from_data,
)
from layers.made import MADE
from layers.networks import mlp
from layers.policy import made_by
from layers.scan import scan
from layers.shear import Shear
from layers.top_down import BLOCKS, TopDown, bottom_up, descend, latent_dims

__all__ = [
    "BLOCKS",
    "COUPLINGS",
    "MADE",
    "ActNorm",
    "AdditiveCoupling",
    "Constant",
    "Flow",
    "GlowNetwork",
    "ImageCoupling",
    "InverseAutoregressive",
    "InvertibleConvolution",
    "Mixing",
    "Planar",
    "Shear",
    "TopDown",
    "bottom_up",
    "constant",
    "convolutional_decoder",
    "convolutional_encoder",
    "descend",
    "fold",
    "latent_dims",
    "made_by",
    "mlp",
    "scan",
    "started_from_data",
]
