"""Monte Carlo EM: a decoder, and chains over the whole data set (Kingma and Welling 2014)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def get_config(choice=""):
    made = _hoffman.config(*choose(choice, CHOICES), name="MCEM", num_updates=5)
    made.evaluation.start = "prior"  # there is no encoder
    return made
