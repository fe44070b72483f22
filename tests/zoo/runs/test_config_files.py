"""Folders of configs: names, what stands behind them, and names of the version before."""

import pytest

import zoo
from zoo.runs.config_files import config_files, find_config

CHOICES = """
CHOICES = {"digits": (), "mnist": ("paper", "small")}
def get_config(choice=""): ...
"""


@pytest.fixture
def folder(tmp_path):
    """Configs of two methods, of which the second begins as the first, and one without choices."""
    for name, source in {
        "vae": f'"""A VAE.\n\nWith more to say."""\n{CHOICES}',
        "vae_flow": f'"""A VAE with a flow."""\n{CHOICES}',
        "own": "def get_config(): ...",
        "_shared": "1 / 0",
    }.items():
        (tmp_path / f"{name}.py").write_text(source)
    return tmp_path


def test_a_folder_is_read(folder):
    own, vae, flow = config_files([folder])
    assert [config.name for config in (own, vae, flow)] == ["own", "vae", "vae_flow"]
    assert vae.title == "A VAE." and own.title == "" and own.choices is None
    assert flow.choices == {"digits": (), "mnist": ("paper", "small")}


def test_a_users_folder_comes_first(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("configs")
    (other / "vae.py").write_text('"""Mine."""\n' + CHOICES)
    found = config_files([other, folder])
    assert [config.title for config in found] == ["", "Mine.", "A VAE with a flow."]
    assert find_config("vae", [other, folder])[0].path == other / "vae.py"


@pytest.mark.parametrize(
    ("value", "name", "choice"),
    [
        ("vae", "vae", "digits"),
        ("vae.py", "vae", "digits"),
        ("vae:mnist", "vae", "mnist"),
        ("vae_flow:mnist:small", "vae_flow", "mnist:small"),
        ("own", "own", ""),
        ("own:3:4", "own", "3:4"),  # which its own get_config reads
        ("{folder}/vae.py:mnist", "vae", "mnist"),
        ("{folder}/vae", "vae", "digits"),
    ],
)
def test_names(value, name, choice, folder):
    config, found = find_config(value.format(folder=folder), [folder])
    assert (config.path, found) == (folder / f"{name}.py", choice)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("vea", "config: unknown value 'vea'; did you mean 'vae'?"),
        ("_shared", "config: unknown value '_shared'; known are 'own', 'vae', 'vae_flow'."),
        ("vae_cifar10", "config: unknown value 'vae_cifar10'; did you mean"),
        ("no/such/vae", "config: there is no file 'no/such/vae'."),
        ("vae:minst", "data: unknown value 'minst'; did you mean 'mnist'?"),
        ("vae:mnist:smal", "preset: unknown value 'smal'; did you mean 'small'?"),
        ("vae_digits", "config: 'vae_digits' is now 'vae:digits'."),
        ("vae_mnist:small", "config: 'vae_mnist:small' is now 'vae:mnist:small'."),
        ("vae_flow_mnist", "config: 'vae_flow_mnist' is now 'vae_flow:mnist'."),
        ("{folder}/vae_mnist.py", "config: 'vae_mnist' is now 'vae:mnist'."),
    ],
)
def test_wrong_names(value, message, folder):
    with pytest.raises(zoo.UsageError) as error:
        find_config(value.format(folder=folder), [folder])
    assert str(error.value).startswith(message)


def test_a_file_that_is_not_of_python(folder):
    (folder / "notes.md").write_text("notes")
    with pytest.raises(zoo.UsageError, match="notes.md' is no Python file"):
        find_config(f"{folder}/notes.md", [folder])
