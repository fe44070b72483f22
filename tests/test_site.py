"""The site of the documentation: a page for every public name, formulas, and the build itself."""

import importlib
import inspect
import subprocess
import sys

import pytest

from zoo.scripts import generate

ROOT = generate.ROOT
sys.path.insert(0, str(ROOT / "docs"))
docstrings = importlib.import_module("docstrings")
NAMES = docstrings.public_names()


def test_the_reference_has_every_public_package():
    """Pages of names are made from these; Sphinx has no say in which there are."""
    lines = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines if line.strip() in NAMES] == list(NAMES)
    shown = {f"zoo.{name}" for name in importlib.import_module("zoo").__all__}
    assert {"zoo.VAE", "zoo.Checkpoints"} <= shown
    pages = {f"{module}.{name}" for module, names in NAMES.items() for name in names}
    modules = {"zoo.data", "zoo.models", "zoo.parts", "zoo.scores", "zoo.likelihoods"}
    assert shown <= pages | modules


def test_every_public_name_has_a_docstring():
    for module, names in NAMES.items():
        for name in names:
            value = getattr(importlib.import_module(module), name)
            if callable(value):
                assert inspect.getdoc(value), f"{module}.{name}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    for path in (ROOT / "docs").rglob("*.md"):
        page = str(path.relative_to(ROOT / "docs").with_suffix(""))
        assert page == "index" or page in index, page


def test_formulas_of_plain_text():
    latex = docstrings.latex
    assert latex("log p(x, z_T) - log q(z given x)") == r"\log p(x, z_T) - \log q(z \mid x)"
    assert latex("n_k ~ N(0, I),  |z| <= 1") == r"n_k \sim N(0, I),\quad \vert z\vert \le 1"


def test_docstrings_as_markup():
    lines = ["Of `x` and z_{t-1}, 2 * x:", "", "    log w = log p(x)", "", "Args:", "  x: |x|."]
    rest = docstrings.rest(lines)
    assert rest[0] == r"Of ``x`` and z\_{t-1}, 2 * x:"
    assert rest[3:6] == [".. math::", "", r"   \log w = \log p(x)"]
    assert rest[-3:] == ["Args:", r"  x: \|x\|.", ""]
    assert docstrings.rest(["A:", "", "    x = f(1)"])[3] == ".. code-block:: python"
    assert docstrings.rest(["Of:", "  one", "    more", "  two"])[1:5] == [
        "",
        "* one",
        "  more",
        "* two",
    ]


@pytest.mark.slow
def test_the_site_is_made_without_a_warning(tmp_path):
    pytest.importorskip("myst_nb", reason="pip install -e '.[docs]'")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", ROOT / "docs", tmp_path / "site"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    pages = {path.stem for path in (tmp_path / "site" / "reference").glob("*.html")}
    for module, names in NAMES.items():
        assert {module, *(f"{module}.{name}" for name in names)} <= pages
    assert "<math" in (tmp_path / "site" / "reference" / "zoo.HVI.html").read_text()
