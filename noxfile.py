"""Checks in fresh environments: `nox` runs all, `nox -s tests-3.12` one of them.

Pythons are found by their names on the PATH; a session whose Python is missing is skipped, and
`nox --error-on-missing-interpreters` makes that an error.
"""

import nox

nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The default suite; arguments after -- go to pytest."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install("ruff>=0.17,<0.18")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """The types of the public names, as a user's type checker sees them."""
    session.install("-e", ".[types]")
    session.run("mypy")


@nox.session(python="3.11")
def package(session: nox.Session) -> None:
    """Builds sdist and wheel, and uses each in a bare environment."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-n", "0", "-m", "slow", "tests/test_package.py")
