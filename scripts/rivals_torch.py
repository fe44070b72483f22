"""Rivals that `scripts/benchmark.py --rivals` times us against: the same step in PyTorch."""

import math
import os

# Threads that spin while they wait make PyTorch several times slower beside other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch.nn import functional

torch.set_num_threads(
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
)
VERSION = f"PyTorch {torch.__version__}, threads: {torch.get_num_threads()}"


class AnnealedVAE:
    """The training step of `zoo.AnnealedVAE`, as one would write it in PyTorch, run eagerly.

    Networks and weights are copied from `model`, whose layers must be fully connected, with tanh
    between them, and whose pixels are binary. Schedule, moves, rule of the step sizes, objectives
    and Adam are the same. Each move evaluates its own density with autograd, so that it takes
    `num_leapfrog_steps` + 1 gradients, where ours takes `num_leapfrog_steps`.
    """

    def __init__(self, model):
        self.annealing, self.num_samples = model.annealing, model.num_samples
        self.encoder, self.decoder = _copy(model.encoder), _copy(model.decoder)
        self.step_size = torch.full([self.annealing["num_increments"]], self.annealing["step_size"])
        self.optimizer = torch.optim.Adam(
            [*self.encoder.parameters(), *self.decoder.parameters()], lr=1e-3, eps=1e-7
        )

    def train_step(self, x: np.ndarray) -> torch.Tensor:
        """One step on pixels in [0, 1], [B, pixels]; the importance-weighted bound."""
        x = torch.bernoulli(torch.from_numpy(x))
        mean, log_scale = self.encoder(x).chunk(2, -1)
        scale = log_scale.clamp(-7, 5).exp()
        z = mean + scale * torch.randn(self.num_samples, *mean.shape)
        bound = self.log_joint(x, z[0]) - _log_normal(z[0], mean, scale)

        z, log_weights = self.anneal(x, mean.detach(), scale.detach(), z.detach())
        log_joint = (log_weights.softmax(0) * self.log_joint(x, z)).sum(0)

        self.optimizer.zero_grad()
        (-bound.mean()).backward(inputs=list(self.encoder.parameters()))
        (-log_joint.mean()).backward(inputs=list(self.decoder.parameters()))
        self.optimizer.step()
        return (log_weights.logsumexp(0) - math.log(self.num_samples)).mean()

    def log_joint(self, x, z):
        logits = self.decoder(z)
        nll = functional.binary_cross_entropy_with_logits(
            logits, x.expand_as(logits), reduction="none"
        )
        return _log_normal(z, torch.tensor(0.0), torch.tensor(1.0)) - nll.sum(-1)

    def anneal(self, x, mean, scale, z):
        """The ends of the chains and their log weights; step sizes learn from acceptance."""
        num_increments = self.annealing["num_increments"]
        log_weights = torch.zeros(z.shape[:2])
        for t in range(num_increments):
            beta = (t + 1) / num_increments

            def evaluate(z, beta=beta):
                z = z.detach().requires_grad_()
                log_initial, log_final = _log_normal(z, mean, scale), self.log_joint(x, z)
                log_density = (1 - beta) * log_initial + beta * log_final
                (gradient,) = torch.autograd.grad(log_density.sum(), z)
                return log_density.detach(), gradient, (log_final - log_initial).detach()

            z, accept_prob, difference = self.move(evaluate, z, self.step_size[t])
            log_weights += difference / num_increments
            rate = self.annealing["adaptation_rate"]
            too_low = accept_prob.mean() < self.annealing["target_accept"]
            self.step_size[t] *= 1 - rate if too_low else 1 + rate
        bounds = self.annealing["min_step_size"], self.annealing["max_step_size"]
        self.step_size.clamp_(*bounds)
        return z, log_weights

    def move(self, evaluate, z, step_size):
        """One HMC move: the state, its acceptance probability, and what `z` adds to the weight."""
        start = torch.randn_like(z)
        log_density, gradient, difference = evaluate(z)
        proposal, momentum = z, start + step_size / 2 * gradient
        for step in range(self.annealing["num_leapfrog_steps"]):
            if step:
                momentum = momentum + step_size * gradient
            proposal = proposal + step_size * momentum
            proposed, gradient, _ = evaluate(proposal)
        momentum = momentum + step_size / 2 * gradient
        kinetic = (momentum.square() - start.square()).sum(-1) / 2
        accept_prob = (proposed - log_density - kinetic).clamp(max=0).exp()
        accepted = torch.rand_like(accept_prob) < accept_prob  # of every chain on its own
        return torch.where(accepted[..., None], proposal, z), accept_prob, difference


def _log_normal(z, mean, scale):
    standard = (z - mean) / scale
    return -(standard.square() / 2 + scale.log() + math.log(2 * math.pi) / 2).sum(-1)


def _copy(network):
    """A fully connected Keras network as a PyTorch one."""
    weights = [torch.from_numpy(w) for w in network.get_weights()]
    layers = []
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        linear = torch.nn.Linear(*kernel.shape)
        linear.weight.data, linear.bias.data = kernel.T.contiguous(), bias.clone()
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])
