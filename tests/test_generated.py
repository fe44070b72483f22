"""The text that `scripts/generate.py` writes is fresh, and so is what a new method adds to it."""

from typing import NamedTuple

import pytest
import yaml

from zoo.core.checks import UsageError
from zoo.core.registry import Paper
from zoo.scripts import generate

PAPERS = [
    Paper(("Ada, A.", "Bob, B.", "Cy, C.", "Di, D."), 'A "quoted" title: of four', 2021),
    Paper(("Ada, A.", "Bob, B."), "A title", 2020, "A Journal", "article"),
]


class Method(NamedTuple):
    """What the table reads of a registered method."""

    summary: str
    papers: tuple[Paper, ...]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CITATION.cff",
        "docs/configs.md",
        "docs/presets.md",
        "docs/scores.md",
        "zoo/__init__.pyi",
    ],
)
def test_is_fresh(name):
    path = generate.ROOT / name
    assert path.read_text(encoding="utf-8") == generate.generated(generate.ROOT)[path], (
        f"{name} is stale; run python scripts/generate.py"
    )


def test_rows_of_a_method():
    """Short citations, the method's own configs, and the oldest paper first."""
    methods = {
        "New": Method("A new method", tuple(PAPERS)),
        "Old": Method("An old method", (Paper(("Ed, E.",), "T", 1999),)),
        "Mine": Method("One without a paper", ()),
    }
    configs = [
        generate.Config("mine", "It trains", "Mine", {"digits": (), "mnist": ("paper", "small")})
    ]
    assert generate.table_of_methods(methods, configs)[2:] == [
        "| `zoo.Old` | An old method | Ed 1999 |  |",
        "| `zoo.New` | A new method | Ada et al. 2021; Ada and Bob 2020 |  |",
        "| `zoo.Mine` | One without a paper |  | `mine` |",
    ]
    page = generate.page_of_configs(configs)
    assert "| `mine` | It trains | `zoo.Mine` | `digits`; `mnist`: paper, small |\n" in page


def test_references_are_of_the_citation_file_format():
    article, conference = yaml.safe_load("\n".join(generate.references(PAPERS)))
    assert article["type"] == "article" and article["journal"] == "A Journal"
    assert article["authors"][1] == {"family-names": "Bob", "given-names": "B."}
    assert conference["title"] == 'A "quoted" title: of four' and conference["year"] == 2021
    whole = yaml.safe_load((generate.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert all({"type", "title", "authors", "year"} <= set(r) for r in whole["references"])


def test_rows_of_a_preset():
    card = {
        "name": "mine",
        "method": "VAE",
        "data": {"source": "digits"},
        "metric": {"name": "log_likelihood", "value": -22.791, "stderr": 0.206, "unit": "nats"},
    }
    assert generate.table_of_presets([card])[2:] == [
        "| `mine` | `zoo.VAE` | digits | log-likelihood -22.79 +- 0.21 nats |"
    ]
    without = {"name": "reconstruction_mse", "value": 0.04, "stderr": None, "unit": "of pixels"}
    assert generate.told_metric(without) == "reconstruction mse 0.04 of pixels"


def test_only_what_is_between_the_marks_is_rewritten(tmp_path):
    path = tmp_path / "README.md"
    begin, end = generate.BEGIN.format("presets"), generate.END.format("presets")
    path.write_text(f"above\n<!-- {begin} -->\nold\n<!-- {end} -->\nbelow\n")
    assert generate.between(path, presets=["new"]) == path.read_text().replace("old", "new")
    with pytest.raises(UsageError, match="README.md must have one line with 'methods: written"):
        generate.between(path, presets=["new"], methods=["new"])
