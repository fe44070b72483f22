"""What a user asks of a model with latents, and the compiled programs that answer."""

import inspect
from collections.abc import Callable

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.abilities import defines
from zoo.core.batches import checked_batch
from zoo.core.checks import UsageError, check_count
from zoo.core.compiled import compiled_method
from zoo.core.fields import Field
from zoo.core.generative import Endpoint, GenerativeModel, flagged, telling, to_numpy, uncompiled
from zoo.core.mixing import check_steps_tell, warn_of_chains
from zoo.core.request_fields import CountField, MaskField, SeedField
from zoo.core.seeds import resolved, with_optional_seed
from zoo.core.watching import shown_to, watching


class AnswersRequests(GenerativeModel):
    """A generative model that infers latents; its heirs say how, and what images these mean.

    Each request is checked by the model's fields, and answered by one compiled program, which is
    an endpoint of an export, too.
    """

    num_completion_steps = 100  # transitions of the chain that completes images, by default

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # Those of every method, whatever it is derived from: they need not look at the seed, nor
        # at what is not finite.
        for name in {"infer", "complete"} & vars(cls).keys():
            setattr(cls, name, telling(with_optional_seed(vars(cls)[name])))

    @property
    def visible_field(self) -> MaskField:
        """The masks that the model completes images from."""
        return MaskField(self.fields["x"].shape)

    @property
    def completes_by_a_chain(self) -> bool:
        """Whether a number of transitions is asked for."""
        return "num_steps" in inspect.signature(type(self).complete).parameters

    @property
    def reconstruct_fields(self) -> dict[str, Field]:
        """The fields that `reconstruct` takes beside those of inference, by name; here none."""
        return {}

    def reconstruct(self, x, seed: Seed | None = None, **given) -> dict[str, np.ndarray]:
        """Infers the latents of images and decodes them.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: as `sample`: None draws anew.
          **given: the `reconstruct_fields`, of each example, or one value for all.

        Returns:
          `x`, a draw of p(x given z), and `mean`, its expectation, [B, ...event]; and `finite`,
          whether all their pixels are finite numbers, and log p(x, z) is where a chain inferred
          z, [B], of which a warning tells, too.

        Raises:
          UsageError: for what the fields' checks refuse.
        """
        batch = self._batch(x)
        given = self._checked(given, self.reconstruct_fields, len(batch["x"]))
        return to_numpy("reconstruct", self._reconstruct(batch, resolved(seed), **given))

    def inpaint(
        self,
        x,
        visible,
        seed: Seed | None = None,
        num_steps: int | None = None,
        *,
        num_chains: int = 1,
        on_transition: Callable[[np.ndarray], None] | None = None,
    ) -> dict[str, np.ndarray]:
        """Completes images from their visible pixels.

        Args:
          x: [B, ...event], pixels in [0, 1]; what is hidden is not looked at.
          visible: bool, like `x` or like one image; True = seen.
          seed: as `sample`: None draws anew.
          num_steps: transitions of the chain; by default 100, or as many as the model infers with.
            A model that completes in one pass takes none.
          num_chains: independent chains of each image, by which it is seen whether they agree.
          on_transition: takes `mean`, as it would be if the chain ended here, where it starts and
            after each transition. XLA is not used then.

        Returns:
          `x`, `mean` and `finite` as `reconstruct`, of the first chain; the visible pixels are
          those given. From two chains up also `r_hat`, [B]: the larger split R-hat of log p(x, z)
          and of the expected pixels. Above 1.05 the chains have not mixed, of which a warning
          tells, too. One chain cannot tell, and there is none.

        Raises:
          UsageError: for what the fields' checks refuse, or a number of steps or of chains without
            a chain.
        """
        check_count(num_chains=num_chains)
        counts = {}
        if self.completes_by_a_chain:
            num_steps = self.num_completion_steps if num_steps is None else num_steps
            check_count(num_steps=num_steps)
            counts = {"num_steps": tf.constant(num_steps, tf.int32)}
            if num_chains > 1:
                check_steps_tell(num_steps, num_chains)
                counts["num_chains"] = num_chains
        else:
            left_out = {
                "num_steps": (num_steps, None),
                "num_chains": (num_chains, 1),
                "on_transition": (on_transition, None),
            }
            for name, (value, default) in left_out.items():
                if value != default:
                    raise UsageError(
                        f"{name} must be left out: {self.name!r} completes images in one pass; "
                        f"it was {value!r}."
                    )
        batch, visible = self._visible_batch(x, visible)
        arguments = batch, visible, resolved(seed)
        if on_transition is None:
            answer = self._inpaint(*arguments, **counts)
        else:
            x = batch["x"]

            def show(means):
                on_transition(np.where(visible, x, means[0]))

            with watching(show) as key:
                answer = self._watched_inpaint(key, *arguments, **counts)
        answer = to_numpy("inpaint", answer)
        warn_of_chains("inpaint", answer.get("r_hat"))
        return answer

    def encode(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Infers the latents of images, as training does.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: int or int32[2].

        Returns:
          `z`, a draw of the inference procedure, [B, ...]; and, by models with a posterior that can
          score any z, `q_mean` and `q_stddev` of that (with two stochastic layers, those of the
          upper one are at the mean of the lower); and `finite`, as `reconstruct`.

        Raises:
          UsageError: for what the fields' checks refuse.
        """
        return to_numpy("encode", self._encode(self._batch(x), resolved(seed)))

    def _visible_batch(self, x, visible):
        """The fields and the masks of examples, whose hidden pixels may be anything."""
        given = dict(x) if isinstance(x, dict) else {"x": x}
        field = self.fields["x"]
        x = field.check_shape("x", given.get("x"))
        visible = self.visible_field.check("visible", visible, len(x))
        return self._batch(given | {"x": np.where(visible, x, 0)}), tf.constant(visible)

    def _endpoint(self, name: str, **others: Field) -> Endpoint:
        """The compiled method `name`, of a batch and of other inputs, as an export has it."""
        given, method = self.inference_fields, uncompiled(self, name)

        def function(**inputs):
            batch = {k: inputs.pop(k) for k in given}
            return method(batch, **inputs)

        return Endpoint(function, given | others)

    def signatures(self):
        endpoint, seed = self._endpoint, {"seed": SeedField()}
        steps = {"num_steps": CountField()} if self.completes_by_a_chain else {}
        return super().signatures() | {
            "reconstruct": endpoint("_reconstruct", **seed, **self.reconstruct_fields),
            "inpaint": endpoint("_inpaint", visible=self.visible_field, **seed, **steps),
            "encode": endpoint("_encode", **seed),
        }

    def call(self, batch):
        """The reconstruction mean, [B, ...event], at a fixed seed."""
        batch = checked_batch(batch, self.inference_fields)
        seed = samplers.fold_in(self.seed, "call")
        return uncompiled(self, "_reconstruct")(batch, seed)["mean"]

    def predict_step(self, data):
        share = self.share(data, self.inference_fields)
        mean = self({name: share.batch[name] for name in self.inference_fields})
        return share.counted({"mean": mean})["mean"]

    @compiled_method
    def _sample(self, num_samples, seed, given):
        z = self.prior.sample([num_samples, 1], samplers.fold_in(seed, "prior"))
        return self._decoded(z, seed, sample_axis=1)

    @compiled_method
    def _reconstruct(self, batch, seed):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        z, told = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        return flagged(self._decoded(z, seed, seen=(observed, None)), told)

    @compiled_method
    def _inpaint(self, batch, visible, seed, num_chains=1, **steps):
        # What is hidden must not even enter a gradient.
        batch = batch | {"x": tf.where(visible, batch["x"], 0.0)}
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        key = samplers.fold_in(seed, "infer")
        z, told = self.complete(observed, visible, num_samples=num_chains, seed=key, **steps)
        first = tf.nest.map_structure(lambda part: part[:1], z)
        completed = self._decoded(first, seed, seen=(observed, visible))
        agreement = {name: told[name] for name in ("r_hat",) if name in told}
        return flagged(self._merged(visible, batch["x"], completed), told) | agreement

    @tf.function(autograph=False, reduce_retracing=True)
    def _watched_inpaint(self, key, *arguments, num_chains=1, **steps):
        with shown_to(key):
            told = uncompiled(self, "_inpaint")(*arguments, num_chains=num_chains, **steps)
        return told if num_chains > 1 else {k: v for k, v in told.items() if k != "r_hat"}

    @compiled_method
    def _encode(self, batch, seed):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        z, told = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        if not defines(self, "posterior_distribution"):
            return flagged({"z": z[0]}, told)
        q = self.posterior_distribution(observed)
        # With two layers, those of z_2 are at the mean of z_1.
        return flagged({"z": z[0], "q_mean": q.mean(), "q_stddev": q.stddev()}, told)

    def _decoded(self, z, seed, sample_axis=0, seen=None):
        """New pixels given z; `seen`, the batch and what of it is visible, for those who ask."""
        raise NotImplementedError

    @staticmethod
    def _merged(visible, x, completed):
        """What `_decoded` made of latents, in which the visible pixels are those of x."""
        return flagged({name: tf.where(visible, x, completed[name]) for name in ("x", "mean")})
