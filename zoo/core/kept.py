"""What users of Keras call to keep a model: weights, files and exports."""

import contextlib

import keras

from zoo.core.checks import UsageError


class KeptModel(keras.Model):
    """A Keras model whose files are those that it can be read from again."""

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """As `keras.Model.load_weights`; where it fails, the weights stay as they were.

        Raises:
          UsageError: for weights of another model.
        """
        with self._unless_it_fails():
            try:
                super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
            except FileNotFoundError:
                raise UsageError(f"filepath must be a file; {str(filepath)!r} is none.") from None
            except (ValueError, OSError) as error:
                # What went wrong may stand below the line that announces it.
                told = [line.strip() for line in str(error).splitlines() if line.strip()]
                told = told[: 1 + told[0].endswith(":")] if told else [type(error).__name__]
                raise UsageError(
                    f"filepath: {str(filepath)!r} holds no weights of this model; {' '.join(told)}"
                ) from None

    def set_weights(self, weights):
        """As `keras.Model.set_weights`; where it fails, the weights stay as they were."""
        with self._unless_it_fails():
            super().set_weights(weights)

    @contextlib.contextmanager
    def _unless_it_fails(self):
        before = [variable.numpy() for variable in self.variables]
        try:
            yield
        except Exception:
            for variable, value in zip(self.variables, before, strict=True):
                variable.assign(value)
            raise

    def export(self, *args, **kwargs):
        """Refuses, since `zoo.export` writes all that a model answers, with checked inputs.

        Raises:
          UsageError: always.
        """
        raise UsageError("export: models of the zoo are exported by zoo.export(model, path).")

    def save(self, filepath, *args, **kwargs):
        """As `keras.Model.save`.

        Raises:
          UsageError: for HDF5 files, from which Keras could not load the model.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise UsageError(f"filepath must end in .keras; it was {str(filepath)!r}.")
        super().save(filepath, *args, **kwargs)

    def save_to_preset(self, folder, *, card=None, run=None, dtype="float16"):
        """Writes a folder that `zoo.from_preset` reads; see `zoo.core.preset_files.save_preset`."""
        from zoo.core.preset_files import save_preset  # which reads models of this class

        save_preset(self, folder, card=card, run=run, dtype=dtype)

    def quantize(self, *args, **kwargs):
        """Refuses, since parts hold densities, which whole numbers are too coarse for.

        Raises:
          UsageError: always.
        """
        raise UsageError(
            "quantize: a model of the zoo is not quantized as a whole; its networks are, by "
            "model.decoder.quantize(mode)."
        )
