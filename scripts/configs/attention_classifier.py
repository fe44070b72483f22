"""Classification by glimpses through windows of attention (Gregor et al. 2015)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _cluttered

CHOICES = _cluttered.CHOICES
DIGITS = {"num_glimpses": 4, "units": 64, "read_size": 4}


def get_config(choice=""):
    model = {"name": "RecurrentAttentionClassifier", "num_glimpses": 8}
    return _cluttered.config(*choose(choice, CHOICES), DIGITS, **model)
