"""What the programs `serve` and `demo` share: their flags, and the server that these ask for."""

import pathlib
from collections.abc import Callable, Sequence

from absl import flags

from zoo.core.checks import UsageError
from zoo.core.presets import check_preset

_LIMITS = {
    "max_batch": "Examples that a request may ask for; 64 by default.",
    "max_steps": "Transitions that a request may ask for; 2,000 by default.",
    "max_body": "Bytes of a request's body; 2^22 by default.",
    "max_queue": "Requests that are computed or wait, before others are sent away; 32 by default.",
    "num_threads": "Requests that are computed at the same time; 2 by default.",
}


def define_server(port: int, presets: Sequence[str] = ()) -> Callable:
    """Defines the flags of a program that serves models.

    Args:
      port: by default.
      presets: what is served without a flag that names a model; without any, one must be given.

    Returns:
      A function that makes the server's application of the flags, and returns it with the
      arguments of `zoo.serving.server.serve`.
    """
    default = f"; {', '.join(presets)} by default" if presets else ""
    told = f"Trained models: names, folders or hf://OWNER/NAME, with commas between{default}."
    preset = flags.DEFINE_list("preset", [], told)
    workdir = flags.DEFINE_list("workdir", [], "Work directories that the program `train` wrote.")
    export = flags.DEFINE_list("export", [], "Folders that `export` wrote.")
    host = flags.DEFINE_string(
        "host", "127.0.0.1", "The address to listen at; 0.0.0.0 lets other machines ask, too."
    )
    port_flag = flags.DEFINE_integer(
        "port", port, "The port to listen at; 0 for any.", lower_bound=0, upper_bound=65535
    )
    origins = flags.DEFINE_list(
        "allow_origin",
        [],
        "Addresses under which others' pages, or a proxy, may ask, such as https://example.org.",
    )
    limits = {
        name: flags.DEFINE_integer(name, None, text, lower_bound=1)
        for name, text in _LIMITS.items()
    }
    flags.register_validator("preset", lambda names: all(check_preset(n) is None for n in names))
    if not presets:
        flags.register_multi_flags_validator(
            ["preset", "workdir", "export"],
            lambda given: any(given.values()),
            "preset, workdir or export must be given; --help tells what they may be.",
        )

    def make():
        try:
            from zoo.serving import guard, server
        except ModuleNotFoundError as error:
            raise UsageError(
                f"{error.name} is not installed, which servers need: pip install 'mcmc-zoo[serve]'."
            ) from None
        given = preset.value or workdir.value or export.value
        models = load_models(preset.value if given else presets, workdir.value, export.value)
        bounds = {name: flag.value for name, flag in limits.items() if flag.value is not None}
        app = server.make_app(
            models,
            limits=guard.Limits(**bounds),
            origins=origins.value,
            hosts=server.hosts_of(host.value, origins.value),
        )
        return app, {"host": host.value, "port": port_flag.value}

    return make


def load_models(presets: Sequence[str], workdirs: Sequence[str], exports: Sequence[str]) -> list:
    """Loads models to serve, each by a name of its own.

    Args:
      presets: names or folders of presets, which are called so.
      workdirs: of runs, called by the names of their directories.
      exports: SavedModels, called by their folder, or by that around a version or an "export".

    Returns:
      A `Served` of each.

    Raises:
      UsageError: for what is none, or whose model draws nothing.
    """
    from zoo.core.preset_files import make_model
    from zoo.core.presets import open_preset
    from zoo.runs.run import open_run
    from zoo.runs.workdir import MODEL
    from zoo.serving.served import serve_export, serve_model

    served = []
    for name in presets:
        preset, code = open_preset(name), f"zoo.from_preset({name!r})"
        served.append(serve_model(preset.label, make_model(preset), code))
    for workdir in workdirs:
        run = open_run(workdir)
        code = f"keras.models.load_model({str(pathlib.Path(workdir) / MODEL)!r})"
        served.append(serve_model(run.label, run.model, code))
    for path in exports:
        folder = pathlib.Path(path).resolve()
        folder = folder.parent if folder.name.isdecimal() else folder  # a version
        folder = folder.parent if folder.name == "export" else folder
        served.append(serve_export(folder.name, path))
    return served
