"""What the pages point at exists: files, headings, configs and tests."""

import re

import pytest
from zoo.scripts import generate

ROOT = generate.ROOT
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}


def anchors(path):
    """The headings of a page, as links name them."""
    prose = re.sub(r"^```.*?^```", "", TEXTS[path], flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_every_page_and_picture_is_linked():
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page, text in TEXTS.items()
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
    }
    assert {*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.png")} <= linked


def test_configs_and_tests_of_commands_exist():
    configs = set()
    for config in generate.read_configs(ROOT / "scripts" / "configs"):
        configs.add(config.name)
        for data, presets in config.choices.items():
            configs |= {f"{config.name}:{data}", *(f"{config.name}:{data}:{p}" for p in presets)}
    text = "\n".join(text for path, text in TEXTS.items() if path.name != "CHANGELOG.md")
    named = set(re.findall(r"--config=([a-z][\w:]*)(?![\w:./$]|\{)", text))
    assert named and named <= configs
    assert all((ROOT / path).exists() for path in re.findall(r"\btests/[\w/.]*\w", text))
