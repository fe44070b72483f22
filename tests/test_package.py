"""What holds for the repository as a whole."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BELOW = {"layers": (), "samplers": (), "zoo": ("layers", "samplers")}


@pytest.mark.parametrize("room", BELOW)
def test_imports_run_down(room):
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                allowed = top == room or top in BELOW[room]
                assert allowed or top not in (*BELOW, "scripts", "tests"), f"{path}: {name}"
