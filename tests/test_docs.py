"""What the pages point at exists: files, headings, configs and tests."""

import re

import pytest

from zoo.scripts import generate

ROOT = generate.ROOT
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}


def prose(page):
    """The text of a page without code."""
    return re.sub(r"^```.*?^```|`[^`]*`", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)


def links(page):
    """The links of a page into the repository: file and anchor."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            yield (page.parent / name).resolve() if name else page, anchor


def anchors(page):
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", re.sub("`", "", TEXTS[page]), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links(page):
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}: {anchor}"


def test_every_page_and_picture_is_linked():
    linked = {target for page in PAGES for target, _ in links(page)}
    assert {*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.png")} <= linked


def test_configs_and_tests_of_commands_exist():
    configs = set()
    for config in generate.read_configs(ROOT / "scripts" / "configs"):
        configs.add(config.name)
        for data, presets in config.choices.items():
            configs |= {f"{config.name}:{data}", *(f"{config.name}:{data}:{p}" for p in presets)}
    others = ("CHANGELOG.md", "adding_a_method.md")  # of an earlier version, and of a stranger
    text = "\n".join(text for path, text in TEXTS.items() if path.name not in others)
    named = set(re.findall(r"--config=([a-z][\w:]*)(?![\w:./$]|\{)", text))
    assert named and named <= configs
    assert all((ROOT / path).exists() for path in re.findall(r"\btests/[\w/.]*\w", text))
