"""The blocks of code on README and on the pages of the site, and what they name."""

import ast
import importlib
import re
import shlex
from typing import NamedTuple

from zoo.runs.config_files import find_config
from zoo.runs.overrides import complete, given_overrides
from zoo.scripts import generate
from zoo.scripts.console import PROGRAMS

ROOT = generate.ROOT
PAGES = [ROOT / "README.md", ROOT / "BUILD.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("zoo", "layers", "samplers")
_DEFINED = re.compile(r"(?:DEFINE_\w+|define_preset)\(\s*\"(\w+)\"")


class Block(NamedTuple):
    """A fenced block; `info` stands behind its language."""

    page: str
    line: int
    language: str
    info: str
    text: str


def blocks(path):
    """The blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w+)(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(str(path.relative_to(ROOT)), line, match[1], match[2].strip(), match[3])


def resolve(name):
    """The object of a dotted name of one of our packages; AttributeError where there is none."""
    found = importlib.import_module(name.split(".")[0])
    for k, part in enumerate(name.split(".")[1:], 2):
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = importlib.import_module(".".join(name.split(".")[:k]))
            except ModuleNotFoundError:
                raise AttributeError(f"there is no {name}") from None
    return found


def python_names(text):
    """The dotted names of our packages that Python code uses or imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            parts = []
            while isinstance(node, ast.Attribute):
                parts.insert(0, node.attr)
                node = node.value
            if isinstance(node, ast.Name) and node.id in PACKAGES:
                yield ".".join([node.id, *parts])
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in PACKAGES:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def prose_names(path):
    """The dotted names of our packages in code type within prose."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", text)
    names = (re.match(rf"(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+(?![\w/])", s) for s in spans)
    return {match[0] for match in names if match and not match[0].endswith((".py", ".md"))}


def commands(text):
    """The programs of ours that shell code runs: name and arguments of each."""
    joined = text.replace("\\\n", " ")
    for line in re.split(r"\n|;|&&|\|", re.sub(r"(^|\s)#.*", "", joined)):
        if found := re.search(r"(?:mcmc-zoo |python scripts/)(\w+)(?:\.py)?\b(.*)", line):
            yield found[1], shlex.split(found[2].replace('"', "").replace("(", r"\("))


def check_command(program, arguments, foreign=()):
    """Asserts that a program is one of ours, with such flags, and its config with such keys.

    Args:
      program: its name.
      arguments: as they are typed.
      foreign: configs that are no part of the zoo.
    """
    path = ROOT / "scripts" / f"{program}.py"
    assert program in PROGRAMS or path.exists(), program
    files = [path, *(ROOT / "zoo/runs").glob("*.py")]
    known = {name for file in files for name in _DEFINED.findall(file.read_text())}
    known |= {"help", "config", *(f"no{name}" for name in known)}
    for argument in arguments:
        if flag := re.match(r"--([A-Za-z]\w*)", argument):
            assert flag[1] in known, f"{program} has no flag --{flag[1]}"
    value = dict(re.findall(r"--(config)=(\S+)", " ".join(arguments))).get("config")
    plain = [a for a in arguments if "$" not in a]
    is_told = "$" not in str(value) and "$@" not in arguments
    if program == "train" and value not in foreign and is_told:
        file, choice = find_config(value or "hmc_dlgm", [ROOT / "scripts" / "configs"])
        complete(_config(file.path, choice), given_overrides([program, *plain]))


def _config(path, choice):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(choice)
