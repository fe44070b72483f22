"""Toys of the papers, which need no trained model: each a figure with its table."""

from zoo.scripts.studies.gibbs_gradient_toy import gibbs_gradient_toy
from zoo.scripts.studies.implicit_posteriors import implicit_posteriors
from zoo.scripts.studies.unit_square import unit_square

__all__ = ["gibbs_gradient_toy", "implicit_posteriors", "unit_square"]
