"""The Monte Carlo VAE of unadjusted Langevin steps (Thin et al. 2021)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def get_config(choice=""):
    return _hoffman.config(*choose(choice, CHOICES), name="LMCVAE", num_steps=5)
