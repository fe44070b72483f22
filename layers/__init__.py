"""Keras layers and networks that the models are made of: tensors in, tensors out."""

from layers import attention
from layers.canvas import RecurrentCanvas, by_glimpse, canvases, in_glimpses, linear
from layers.constant import Constant, constant
from layers.convolution import convolutional_decoder, convolutional_encoder
from layers.dcgan import dcgan_generator
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
from layers.pyramid import check_halves, laplacian_pyramid
from layers.reader import RecurrentReader
from layers.recurrent import LSTM
from layers.scan import scan
from layers.shear import Shear
from layers.top_down import BLOCKS, TopDown, bottom_up, descend, latent_dims

__all__ = [
    "BLOCKS",
    "COUPLINGS",
    "LSTM",
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
    "RecurrentCanvas",
    "RecurrentReader",
    "Shear",
    "TopDown",
    "attention",
    "bottom_up",
    "by_glimpse",
    "canvases",
    "check_halves",
    "constant",
    "convolutional_decoder",
    "convolutional_encoder",
    "dcgan_generator",
    "descend",
    "fold",
    "in_glimpses",
    "laplacian_pyramid",
    "latent_dims",
    "linear",
    "made_by",
    "mlp",
    "scan",
    "started_from_data",
]
