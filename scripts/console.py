"""The command `mcmc-zoo`: runs one of the programs by name."""

import ast
import pathlib
import runpy
import sys

_FOLDER = pathlib.Path(__file__).parent
PROGRAMS = (
    "train",
    "evaluate",
    "fid",
    "make_preset",
    "sample",
    "inpaint",
    "export",
    "serve",
    "serve_check",
    "demo",
    "figures",
    "benchmark",
    "benchmark_chains",
    "benchmark_flows",
    "benchmark_sequences",
    "compare_numpyro",
    "compare_tfp",
)


def main() -> None:
    """Runs `mcmc-zoo NAME [--flag=value ...]` as if it were `python scripts/NAME.py`."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in PROGRAMS:
        del sys.argv[1]
        try:
            runpy.run_module(f"{__package__}.{name}", run_name="__main__", alter_sys=True)
        except KeyboardInterrupt:  # while modules are imported
            sys.exit(130)
    elif name in ("--help", "-h", "help"):
        print("usage: mcmc-zoo NAME [--flag=value ...]; mcmc-zoo NAME --help tells its flags.\n")
        for program in PROGRAMS:
            # Read, not imported: that would take TensorFlow.
            docstring = ast.get_docstring(ast.parse((_FOLDER / f"{program}.py").read_text()))
            print(f"  {program:<21}{docstring.splitlines()[0]}")
    else:
        print(
            f"error: program must be one of {', '.join(PROGRAMS)}; it was {name!r}.",
            file=sys.stderr,
        )
        sys.exit(2)
