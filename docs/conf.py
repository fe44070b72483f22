"""The site of the documentation; `sphinx-build -W docs site` makes it, without network.

Pages are plain Markdown, and so are the tutorials, whose Python blocks are run. Formulas become
MathML, which browsers show by themselves: a page needs no script and no font from elsewhere.
"""

import os
import pathlib
import sys

DOCS = pathlib.Path(__file__).parent
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # this folder, and the packages, in kernels, too
os.environ["PYTHONPATH"] = str(DOCS.parent)

import docstrings  # noqa: E402

from zoo import VERSION  # noqa: E402

project = "MCMC zoo"
author = copyright = "The MCMC zoo developers"
release = VERSION
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "extension",
]
templates_path = ["templates"]
exclude_patterns = ["templates"]
smartquotes = False  # what is quoted is typed
html_theme = "furo"
html_title = f"MCMC zoo {release}"
html_math_renderer = "mathml"
nitpicky = True
nitpick_ignore_regex = [  # types of others, and those that are no public names
    ("py:class", r"(collections|keras|matplotlib|ml_collections|numpy|tensorflow|zoo.core).*"),
    ("py:exc", "Interrupted"),
]

autosummary_context = {"names": docstrings.public_names()}
autodoc_inherit_docstrings = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_custom_sections = ["Returns"]  # whole sentences, without a type before a colon

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS.parent / "build" / "tutorials")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_output_stderr = "remove"  # what TensorFlow tells of the machine
