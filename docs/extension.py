"""What the site adds to Sphinx: tutorials as notebooks, links of names, MathML."""

import inspect
import re

import docstrings
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

_NOTEBOOK = "---\nfile_format: mystnb\nkernelspec: {name: python3, display_name: Python 3}\n---\n"


def setup(app: Sphinx) -> dict:
    """Connects all of this with Sphinx, as extensions do."""
    app.connect("source-read", _prepare)
    # Before napoleon, which reads the sections of a docstring; but not of a property, where what
    # stands before a colon would be its type.
    app.connect("autodoc-process-docstring", _as_rest, priority=400)
    app.connect("autodoc-process-docstring", _property_as_rest, priority=600)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _is_of_another)
    app.add_post_transform(LinkedNames)
    app.add_html_math_renderer("mathml", (_inline_math, None), (_display_math, None))
    return {"parallel_read_safe": True}


def _prepare(app, docname, source):
    """Links out of this folder are files, and tutorials are notebooks whose Python is run."""
    source[0] = re.sub(r"\]\(((?:\.\./)+[A-Z]+\.md)(#[^)]*)?\)", r"](path:\1)", source[0])
    if docname.startswith("tutorials/"):
        cells = re.sub(r"^```python$", "```{code-cell} python", source[0], flags=re.MULTILINE)
        source[0] = _NOTEBOOK + cells


def _as_rest(app, what, name, obj, options, lines):
    # Of a constant these are lines about its type.
    lines[:] = [] if what == "data" else docstrings.rest(lines)


def _property_as_rest(app, what, name, obj, options, lines):
    if what == "property":
        lines[:] = docstrings.rest((inspect.getdoc(obj) or "").splitlines())


def _signature(app, what, name, obj, options, signature, returns):
    """A class of Keras takes what its `__init__` takes, and not what its `__new__` says."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    _, *taken = inspect.signature(obj.__init__).parameters.values()
    plain = [parameter.replace(annotation=parameter.empty) for parameter in taken]
    return str(inspect.Signature(plain)), None


def _is_of_another(app, what, name, obj, skip, options):
    """Left out is what a class has from Keras, and fields of tuples, which it tells itself."""
    package = str(getattr(getattr(obj, "fget", obj), "__module__", None)).split(".")[0]
    is_field = type(obj).__name__ == "_tuplegetter"
    return True if is_field or package in ("keras", "tensorflow") else None


def _inline_math(writer, node):
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _display_math(writer, node):
    writer.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode


class LinkedNames(SphinxPostTransform):
    """Makes a link of every public name that stands in code type, on all pages."""

    default_priority = 5  # before references are resolved

    def run(self, **kwargs) -> None:
        names = self.app.config.autosummary_context["names"]
        public = {f"{module}.{name}" for module, found in names.items() for name in found}
        for node in list(self.document.findall(nodes.literal)):
            name, inside = node.astext(), node.parent
            while inside and not isinstance(inside, nodes.reference | addnodes.pending_xref):
                inside = inside.parent
            if name in public and not inside:
                link = addnodes.pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=name, refexplicit=True
                )
                node.replace_self(link)
                link += node
