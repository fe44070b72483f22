"""Public names and their docstrings, as the site shows them; it needs no Sphinx."""

import ast
import importlib
import re
import textwrap
import types

# Whose names are public: those of `__all__`, or else what the module itself defines.
MODULES = (
    "zoo",
    "zoo.data",
    "zoo.parts",
    "zoo.parts.likelihoods",
    "zoo.scores",
    "zoo.analysis",
    "zoo.serving",
    "zoo.testing",
    "layers",
    "layers.attention",
    "samplers",
)
_SECTIONS = re.compile(r"(Args|Attributes|Returns|Raises):$")


def public_names() -> dict[str, list[str]]:
    """The public names of every public module, without the modules among them."""
    return {name: _names_of(importlib.import_module(name)) for name in MODULES}


def _names_of(module):
    def is_public(name):
        value = getattr(module, name)
        is_own = getattr(value, "__module__", None) == module.__name__
        return not isinstance(value, types.ModuleType) and (named or is_own and name[0] != "_")

    named = getattr(module, "__all__", None)
    return sorted(filter(is_public, named or vars(module)))


def rest(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText.

    Args:
      lines: of the docstring, without its indentation.

    Returns:
      The same, in which code is marked as such, and what looks like markup is not. Before the
      sections, indented formulas are displayed ones, and hanging paragraphs are a list.
    """
    result, block, in_item, in_sections = [], [], False, False
    for line in [*lines, ""]:
        in_sections |= bool(_SECTIONS.match(line))
        if not in_sections:
            if line.startswith("    ") and (block or not "".join(result[-1:])):
                block.append(line)
                continue
            starts_item = bool(re.match(r"  \S", line))
            if starts_item and not in_item:
                result.append("")
            in_item = starts_item or (in_item and line.startswith("    "))
            line = re.sub("^  ", "* " if starts_item else "", line) if in_item else line
        if block:
            result += _displayed(textwrap.dedent("\n".join(block)).splitlines())
            block = []
        result.append(marked(line))
    return result


def marked(line: str) -> str:
    """A line in which code has two backticks, and other characters of markup are escaped."""
    pieces = re.split(r"`+([^`]+)`+", line)
    for i, piece in enumerate(pieces):
        if i % 2:
            end = "\\ " if pieces[i + 1][:1].isalnum() else ""  # code within a word
            pieces[i] = f"``{piece}``{end}"
        else:
            pieces[i] = re.sub(r"(?<=\S)\*|\*(?=\S)|\||_(?!\w)", r"\\\g<0>", piece)
    return "".join(pieces)


def _displayed(block):
    try:
        ast.parse("\n".join(block))
    except SyntaxError:
        formula = [latex(line.strip()) for line in block]
        return ["", ".. math::", "", *(f"   {line}" for line in _aligned(formula)), ""]
    return ["", ".. code-block:: python", "", *(f"   {line}" for line in block), ""]


def _aligned(formulas):
    if len(formulas) == 1:
        return formulas
    body = " \\\\ ".join(f"& {formula}" for formula in formulas)
    return [rf"\begin{{aligned}} {body} \end{{aligned}}"]


_SYMBOLS = {
    "log": r"\log ",
    "grad": r"\nabla ",
    "sum": r"\sum ",
    "given": r"\mid ",
    "<-": r"\leftarrow ",
    "||": r"\parallel ",
    "|": r"\vert ",
    "<=": r"\le ",
    "~": r"\sim ",
    r"\quad": r"\quad",
}


def latex(text: str) -> str:
    """A formula of plain text, such as "log p(x, z) - log q(z given x)", for TeX."""

    def translated(match):
        token = match[0]
        if token in _SYMBOLS:
            return _SYMBOLS[token]
        return rf"\mathrm{{{token}}}\ " if len(token) > 1 else token

    text = re.sub("  +", r"\\quad ", text)
    text = re.sub(r"\\quad|[A-Za-z]+|<-|<=|\|\||\||~", translated, text)
    return re.sub(r"\\ (?=[_^(])", "", text).replace("  ", " ")
