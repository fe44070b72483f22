"""Work directories and their manifests: a run's files are known, and nobody else's are touched."""

import contextlib
import json
import shutil

import pytest
from programs import Killed, digits_config, make_run

import zoo
from zoo.runs import manifest, workdir
from zoo.runs.defaults import resolve
from zoo.runs.run import open_run, open_runs

CONFIG = resolve(digits_config(name="VAE"))
OTHER = resolve(digits_config(name="VAE", latent_dim=3))


@pytest.fixture
def finished(tmp_path):
    """The work directory of a run that has ended, with a file and a folder of its own."""
    path = tmp_path / "run"
    workdir.start_run(path, CONFIG)
    manifest.claim(path, "scores.json").write_text("{}")
    manifest.claim(path, "logs").mkdir()
    (path / "logs" / "events").write_text("1")
    workdir.finish_run(path)
    return path


def found(path):
    return {p.name for p in path.iterdir()}


def test_the_manifest_lists_what_is_there(finished):
    listed = json.loads((finished / "manifest.json").read_text())
    assert listed.pop("finished") and listed.pop("imports") == []
    assert listed.pop("folders") == {"checkpoints": ["epoch-*.npz"]}
    assert listed == {"version": "0.2.0", "files": ["config.json", "scores.json", "logs"]}
    assert found(finished) == {*listed["files"], "manifest.json"}
    assert manifest.claim(finished, "logs") == finished / "logs"  # again, which is the same
    assert manifest.names(finished) == listed["files"]
    assert workdir.load_config(finished) == workdir.load_config(str(finished))
    assert workdir.load_config(finished).to_dict() == json.loads(json.dumps(CONFIG.to_dict()))


def test_an_older_run_gives_way_but_nothing_else(finished):
    (finished / "notes.txt").write_text("mine")
    (finished / ".partial-scores.json").write_text("killed")
    outside = finished.parent / "outside"
    outside.mkdir()
    (outside / "data").write_text("mine")
    shutil.rmtree(finished / "logs")
    (finished / "logs").symlink_to(outside)
    workdir.start_run(finished, CONFIG, overwrite=True)
    assert found(finished) == {"manifest.json", "config.json", "checkpoints", "notes.txt"}
    assert (outside / "data").read_text() == "mine"


@pytest.mark.parametrize("own", ["notes.txt", "train/notes.txt", "events"])
def test_a_users_files_in_folders_of_a_run_stay(own, tmp_path):
    """It is not removed when a run is finished, and a run is not begun anew over it."""
    workdir.start_run(tmp_path, CONFIG)
    for folder, file in (("tensorboard", "events.out.1"), ("checkpoints", "epoch-000001.npz")):
        path = manifest.claim(tmp_path, folder, "events.out.*") / "train" / file
        path.parent.mkdir(parents=True)
        for written in (path, tmp_path / folder / own, path.with_name(".partial-1-x")):
            written.write_text("")
    with pytest.raises(zoo.UsageError, match=f"holds '.*/{own}', which no run wrote; move it away"):
        workdir.start_run(tmp_path, CONFIG, overwrite=True)
    workdir.start_run(tmp_path, CONFIG)  # which goes on
    workdir.finish_run(tmp_path)
    left = [path for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()]
    assert left == [tmp_path / "checkpoints" / own]
    (tmp_path / "tensorboard" / own).unlink()
    with pytest.raises(zoo.UsageError, match="holds 'checkpoints', which no run wrote"):
        workdir.start_run(tmp_path, CONFIG, overwrite=True)
    left[0].rename(tmp_path / "notes")
    shutil.rmtree(tmp_path / "checkpoints")
    workdir.start_run(tmp_path, CONFIG, overwrite=True)
    assert found(tmp_path) == {"manifest.json", "config.json", "checkpoints", "notes"}


@pytest.mark.parametrize("name", ["samples.png", "checkpoints", "config.json"])
def test_what_no_run_wrote_is_refused_and_stays(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(zoo.UsageError, match=f"holds '{name}', which no run wrote; move it away"):
        workdir.start_run(tmp_path, CONFIG, files=["samples.png"])
    assert found(tmp_path) == {name} and (tmp_path / name).read_text() == "mine"


def test_programs_write_over_nothing_of_a_users(finished):
    (finished / "samples.png").write_text("mine")
    with pytest.raises(zoo.UsageError, match="holds 'samples.png', which no run wrote"):
        manifest.claim(finished, "samples.png")


def test_an_unfinished_run_stays_and_only_of_the_same_config(tmp_path):
    workdir.start_run(tmp_path, CONFIG)
    (tmp_path / "checkpoints" / "epoch-000001.npz").write_text("1")
    workdir.start_run(tmp_path, CONFIG)
    assert found(tmp_path / "checkpoints") == {"epoch-000001.npz"}
    with pytest.raises(
        zoo.UsageError, match="holds an unfinished run whose model.latent_dim is 2, not 3"
    ):
        workdir.start_run(tmp_path, OTHER)
    assert found(tmp_path / "checkpoints") == {"epoch-000001.npz"}
    workdir.start_run(tmp_path, OTHER, overwrite=True)
    assert not found(tmp_path / "checkpoints")
    assert workdir.load_config(tmp_path).model.latent_dim == 3


def test_a_finished_run_stays(finished):
    before = {path.name: path.stat().st_mtime_ns for path in finished.iterdir()}
    assert workdir.is_finished(finished, CONFIG)
    assert not workdir.is_finished(finished.parent / "nowhere", CONFIG)
    for config, message in ((CONFIG, "holds a finished run; give"), (OTHER, "2, not 3; give")):
        with pytest.raises(zoo.UsageError, match=message):
            workdir.start_run(finished, config)
    with pytest.raises(zoo.UsageError, match="a finished run whose model.latent_dim is 2, not 3;"):
        workdir.is_finished(finished, OTHER)
    assert before == {path.name: path.stat().st_mtime_ns for path in finished.iterdir()}
    workdir.start_run(finished, OTHER, overwrite=True)
    assert not workdir.is_finished(finished, OTHER)


def test_a_finished_run_whose_manifest_does_not_say_so(finished):
    notes = json.loads((finished / "manifest.json").read_text())
    del notes["finished"]
    (finished / "manifest.json").write_text(json.dumps(notes))
    assert workdir.is_finished(finished, CONFIG)
    manifest.claim(finished, "checkpoints").mkdir()
    assert not workdir.is_finished(finished, CONFIG)


@pytest.mark.parametrize("writes", range(4))
def test_a_kill_while_a_run_begins_or_is_finished(writes, tmp_path, monkeypatch):
    """Between any two changes of the manifest: it begins anew, or it is finished."""
    original = manifest._write

    def killed(call):
        left = iter(range(writes))

        def write(*args):
            if next(left, None) is None:
                raise Killed
            original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(manifest, "_write", write)
            with contextlib.suppress(Killed):
                call()

    killed(lambda: workdir.start_run(tmp_path, CONFIG))
    assert not manifest.holds_run(tmp_path) or not workdir.is_finished(tmp_path, CONFIG)
    workdir.start_run(tmp_path, CONFIG)
    manifest.claim(tmp_path, "model.keras").write_text("all that it learned")
    killed(lambda: workdir.finish_run(tmp_path))
    if not workdir.is_finished(tmp_path, CONFIG):
        workdir.start_run(tmp_path, CONFIG)
    assert (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_a_kill_while_an_older_run_is_removed(first, finished, monkeypatch):
    """What is left is still known as a run, and gives way the next time."""
    manifest.note(finished, finished=False)
    manifest.claim(finished, "checkpoints").mkdir()
    original, calls = workdir._remove, []

    def kill(path):
        calls.append(path)
        if len(calls) > first:
            raise Killed
        original(path)

    monkeypatch.setattr(workdir, "_remove", kill)
    with pytest.raises(Killed):
        workdir.start_run(finished, CONFIG, overwrite=True)
    monkeypatch.undo()
    assert (finished / "checkpoints").exists() == (first == 0)
    workdir.start_run(finished, CONFIG, overwrite=first == 0)
    assert found(finished) == {"manifest.json", "config.json", "checkpoints"}


def test_metrics_go_on_behind_the_epochs_that_are_done(finished):
    path = workdir.continue_metrics(finished, 2)
    assert not path.exists() and "metrics.csv" in manifest.names(finished)
    path.write_text("epoch,loss\n0,1\n1,2\n2,3\n")
    assert workdir.continue_metrics(finished, 2).read_text() == "epoch,loss\n0,1\n1,2\n"
    assert workdir.continue_metrics(finished, 0).read_text() == ""


@pytest.mark.parametrize("read", [zoo.load, open_run, workdir.load_config, manifest.names])
def test_directories_of_version_0_1_0_are_refused(read, finished):
    (finished / "manifest.json").unlink()
    with pytest.raises(zoo.UsageError) as error:
        read(str(finished))
    assert str(error.value) == (
        f"workdir: {str(finished)!r} was written by version 0.1.0 of the zoo, and this is 0.2.0; "
        "load it with that version, or train it again."
    )
    before = found(finished)
    for overwrite in (False, True):
        with pytest.raises(zoo.UsageError, match="was written by version 0.1.0"):
            workdir.start_run(finished, CONFIG, overwrite=overwrite)
    assert found(finished) == before


@pytest.mark.parametrize("read", [zoo.load, open_run])
def test_where_no_run_is(read, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(zoo.UsageError, match="workdir: there is no run in '.*'; train makes"):
            read(str(path))
    (tmp_path / "config.json").write_text('{"anything": 1}')
    with pytest.raises(zoo.UsageError, match="workdir: there is no run in"):
        read(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version": "0.2.0", "files": [3]}',
        '{"version": "0.2.0", "files": ["../outside"]}',
        '{"version": "0.2.0", "files": ["/etc"]}',
        '{"version": "0.2.0", "files": [".."]}',
        '{"version": "0.2.0", "files": [""]}',
    ],
)
def test_manifests_that_are_none(content, finished):
    """Nothing is removed by what they list."""
    (finished.parent / "outside").write_text("mine")
    (finished / "manifest.json").write_text(content)
    with pytest.raises(zoo.UsageError, match="manifest.json' is no manifest"):
        workdir.start_run(finished, CONFIG)
    assert (finished.parent / "outside").exists() and (finished / "scores.json").exists()


def test_a_run_without_a_model(finished):
    with pytest.raises(zoo.UsageError, match="model.keras' is missing; did the training finish?"):
        zoo.load(str(finished))
    for left in ("", "PK"):
        (finished / "model.keras").write_text(left)
        with pytest.raises(zoo.UsageError, match="model.keras' cannot be loaded: it is not whole"):
            zoo.load(str(finished))
    manifest.note(finished, files=[*manifest.names(finished), "model.keras"])
    assert workdir.is_finished(finished, CONFIG)
    (finished / "model.keras").unlink()
    with pytest.raises(zoo.UsageError, match="a finished run whose model.keras is gone; give"):
        workdir.is_finished(finished, CONFIG)


def test_what_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(zoo.UsageError, match=f"workdir must be a folder, or new; .*{name}'"):
            workdir.make_workdir(tmp_path / name)


def test_runs_are_labelled(tmp_path):
    one, two, other = tmp_path / "a", tmp_path / "b", tmp_path / "more" / "a"
    for path in (one, two, other):
        make_run(path, CONFIG)
    assert [run.label for run in open_runs([str(one), f"{two}/"])] == ["a", "b"]
    assert [run.label for run in open_runs([str(one), str(other)])] == [str(one), str(other)]
