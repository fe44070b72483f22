"""The VAE with a posterior of planar flows (Rezende and Mohamed 2015)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES | {"cifar10": _hoffman.PRESETS}
POSTERIOR = {"name": "planar", "num_flows": 10, "amortised": False}


def get_config(choice=""):
    made = _hoffman.config(*choose(choice, CHOICES), name="VAE", posterior=POSTERIOR)
    made.evaluation.start = "prior"  # such a posterior scores its own draws alone
    return made
