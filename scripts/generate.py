"""Writes the generated text: tables of methods and presets, references, configs and scores.

    python scripts/generate.py
    python scripts/generate.py --check

The first writes the tables in README.md, the references in CITATION.cff, docs/configs.md,
docs/presets.md, docs/scores.md and zoo/__init__.pyi, from the registries of methods and of scores,
scripts/configs and the cards in zoo/presets; nothing else writes them. The second writes nothing,
and names the files that are stale. Methods from outside the zoo are left out.
"""

from absl import flags

from zoo.runs import cli

CHECK = flags.DEFINE_boolean("check", False, "Whether to name stale files instead of writing them.")

if __name__ == "__main__":
    cli.parse()

import importlib.util
import json
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import zoo
from zoo import scores
from zoo.core import registry
from zoo.core.checks import UsageError
from zoo.core.presets import WEIGHTS, open_preset, preset_names
from zoo.scores.registry import Score

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "{}: written by scripts/generate.py", "{}: end"
CONFIGS_HEAD = """
# Configs

`scripts/generate.py` writes this page from `scripts/configs`. `--config=NAME` trains on the first
of the data sets, and `--config=NAME:DATA` on another one, with the first of its presets;
`--config=NAME:DATA:PRESET` takes another preset, such as `--config=hmc_dlgm:mnist:small`.
[programs.md](programs.md#configs) tells more.

| config | trains | class | data sets: presets |
|---|---|---|---|
"""
PRESETS_HEAD = """
# Presets

`scripts/generate.py` writes this page from the cards of the presets that come with the zoo. A
preset is a trained model: a folder of `config.json`, `model.weights.h5` and `card.json`.
[programs.md](programs.md#presets) tells how it is used and made. The metric is that of the weights
as they are stored, with its standard error over the examples; the commands train the same again.
"""
SCORES_HEAD = """
# Scores

`scripts/generate.py` writes this page from the registry of scores. These are the figures of
`zoo.scores.report`, of a run's `evaluation.json` and of the table that programs print; one that a
model does not have is null there, and "-" in the table. `warnings` in the same file holds sentences
on what cannot be trusted, each with the number to raise.

| figure | unit | needs |
|---|---|---|
"""


class Config(NamedTuple):
    """A config of scripts/configs.

    Attributes:
      name: of its file.
      summary: the first line of its docstring.
      method: the name of its model class.
      choices: the presets of each data set, by its name.
    """

    name: str
    summary: str
    method: str
    choices: dict[str, tuple[str, ...]]


def main() -> None:
    texts = generated(ROOT)
    stale = [path for path, text in texts.items() if not _is(path, text)]
    if CHECK.value and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        raise UsageError(f"generated text is stale in {names}; run scripts/generate.py.")
    for path in stale:
        path.write_text(texts[path], encoding="utf-8")
        print(path.relative_to(ROOT))


def generated(root: pathlib.Path) -> dict[pathlib.Path, str]:
    """The text of every file that holds generated text, as it should be.

    Args:
      root: of the repository.

    Returns:
      By path, the whole text, in which what is written by hand is as it was.

    Raises:
      UsageError: for a file without the two lines between which the text belongs.
    """
    methods = {
        name: method
        for name, method in registry.methods().items()
        if method.cls.__module__.split(".")[0] == "zoo"
    }
    configs = read_configs(root / "scripts" / "configs")
    papers = {paper for method in methods.values() for paper in method.papers}
    cards = [open_preset(name).card for name in preset_names()]
    readme, citation = root / "README.md", root / "CITATION.cff"
    return {
        readme: between(
            readme, methods=table_of_methods(methods, configs), presets=table_of_presets(cards)
        ),
        citation: between(citation, methods=references(papers)),
        root / "docs" / "configs.md": page_of_configs(configs),
        root / "docs" / "presets.md": page_of_presets(cards),
        root / "docs" / "scores.md": page_of_scores(scores.registered_scores()),
        root / "zoo" / "__init__.pyi": stub(methods),
    }


def read_configs(folder: pathlib.Path) -> list[Config]:
    """The configs of a folder, by name."""
    configs = []
    for path in sorted(folder.glob("[!_]*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        summary = module.__doc__.strip().splitlines()[0]
        method = module.get_config(next(iter(module.CHOICES))).model.name
        configs.append(Config(path.stem, summary, method, module.CHOICES))
    return configs


def table_of_methods(methods: dict[str, registry.Registered], configs: list[Config]) -> list[str]:
    """The lines of README's table, oldest paper first."""

    def age(item):
        name, method = item
        return min((paper.year for paper in method.papers), default=9999), name

    lines = ["| class | is | papers | configs |", "|---|---|---|---|"]
    for name, method in sorted(methods.items(), key=age):
        papers = "; ".join(map(short_citation, method.papers))
        named = ", ".join(f"`{config.name}`" for config in configs if config.method == name)
        lines.append(f"| `zoo.{name}` | {method.summary} | {papers} | {named} |")
    return lines


def stub(methods: dict[str, registry.Registered]) -> str:
    """The text of zoo/__init__.pyi: where the names are that `zoo` imports when asked for them."""
    places = zoo._LIGHT | zoo._PLACES | {n: m.cls.__module__ for n, m in methods.items()}
    places |= dict.fromkeys(zoo._ROOMS, "zoo")
    lines = sorted(f"from {module} import {name} as {name}" for name, module in places.items())
    head = "# Written by scripts/generate.py, for type checkers and editors."
    return "\n".join([head, *lines]) + "\n"


def short_citation(paper: registry.Paper) -> str:
    """The authors and the year, such as "Kingma and Welling 2014"."""
    *others, last = [author.split(", ")[0] for author in paper.authors]
    if len(others) > 2:
        return f"{others[0]} et al. {paper.year}"
    return f"{', '.join(others)} and {last} {paper.year}" if others else f"{last} {paper.year}"


def references(papers: Iterable[registry.Paper]) -> list[str]:
    """The lines of papers as references of the Citation File Format, sorted by author."""
    lines = []
    for paper in sorted(papers):
        lines += [f"  - type: {paper.kind}", f"    title: {_quoted(paper.title)}", "    authors:"]
        for author in paper.authors:
            family, given = map(_quoted, author.split(", "))
            lines.append(f"      - {{family-names: {family}, given-names: {given}}}")
        lines.append(f"    year: {paper.year}")
        if paper.venue:
            key = "journal" if paper.kind == "article" else "collection-title"
            lines.append(f"    {key}: {_quoted(paper.venue)}")
    return lines


def page_of_configs(configs: list[Config]) -> str:
    """The text of docs/configs.md."""
    lines = CONFIGS_HEAD.strip().splitlines()
    for config in configs:
        choices = "; ".join(
            f"`{data}`{': ' if presets else ''}{', '.join(presets)}"
            for data, presets in config.choices.items()
        )
        summary = config.summary.rstrip(".")
        lines.append(f"| `{config.name}` | {summary} | `zoo.{config.method}` | {choices} |")
    return "\n".join(lines) + "\n"


def page_of_scores(registered: Iterable[Score]) -> str:
    """The text of docs/scores.md, in which each figure stands once, with what a model needs."""
    units, needs = {}, {}
    for score in registered:
        for name, unit in score.units.items():
            units.setdefault(name, unit)
            asked = " and ".join(f"`{need}`" for need in score.needs)
            needs.setdefault(name, []).append(asked)
    lines = SCORES_HEAD.strip().splitlines()
    for name, unit in units.items():
        lines.append(f"| `{name}` | {unit} | {', or '.join(filter(None, needs[name]))} |")
    return "\n".join(lines) + "\n"


def table_of_presets(cards: list[dict]) -> list[str]:
    """The lines of README's table, a row for each card."""
    lines = ["| preset | class | data | metric on test data |", "|---|---|---|---|"]
    for card in cards:
        data, metric = card["data"]["source"], told_metric(card["metric"])
        lines.append(f"| `{card['name']}` | `zoo.{card['method']}` | {data} | {metric} |")
    return lines


def told_metric(metric: dict) -> str:
    """A metric with its standard error and unit, such as "log-likelihood -22.8 +- 0.2 nats"."""
    name = metric["name"].replace("log_likelihood", "log-likelihood").replace("_", " ")
    error = "" if metric["stderr"] is None else f" +- {metric['stderr']:.2f}"
    return f"{name} {metric['value']:.2f}{error} {metric['unit']}"


def page_of_presets(cards: list[dict]) -> str:
    """The text of docs/presets.md: a section for each card."""
    lines = PRESETS_HEAD.strip().splitlines()
    for card in cards:
        numbers = ", ".join(f"{number} {split}" for split, number in card["num_examples"].items())
        metric = card["metric"]
        seconds = "" if card["training_seconds"] is None else f", {card['training_seconds']} s"
        rows = {
            "class": f"`zoo.{card['method']}`",
            "settings": ", ".join(
                f"{name}={value}"
                for name, value in card["settings"].items()
                if isinstance(value, str | int | float) and name != "name"
            ),
            "data": f"{card['data']['source']}: {numbers} ({card['licence_of_data']})",
            "metric": f"{told_metric(metric)}, {metric['num_examples']} examples",
            "protocol": metric["protocol"] or "-",
            "other scores": "; ".join(
                f"{name} {value:.4g}" for name, value in card["scores"].items()
            ),
            "warnings": " ".join(card["warnings"]) or "-",
            "training": f"{card['epochs']} epochs{seconds}, seed {card['seed']}",
            "command": f"`{card['command']}`",
            "commit": card["commit"] or "-",
            "sha256 of the weights": f"`{card['sha256'][WEIGHTS]}`",
        }
        lines += ["", f"## {card['name']}", "", "| | |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in rows.items()]
    return "\n".join(lines) + "\n"


def between(path: pathlib.Path, **tables: list[str]) -> str:
    """The text of a file in which the lines of each table stand between its two marks.

    Raises:
      UsageError: if the file has not both marks of a table, each once.
    """
    old = path.read_text(encoding="utf-8").splitlines()
    for name, lines in tables.items():
        begin, end = BEGIN.format(name), END.format(name)
        marks = [i for i, line in enumerate(old) if begin in line or end in line]
        if len(marks) != 2:
            raise UsageError(
                f"{path.name} must have one line with {begin!r}, and one with {end!r}."
            )
        old = [*old[: marks[0] + 1], *lines, *old[marks[1] :]]
    return "\n".join(old) + "\n"


def _is(path, text):
    return path.exists() and path.read_text(encoding="utf-8") == text


def _quoted(text):
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    cli.run(main)
