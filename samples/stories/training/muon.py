"""Muon: momentum orthogonalised by a Newton-Schulz iteration.

K. Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024.
J. Liu and others, "Muon is Scalable for LLM Training", arXiv:2502.16982, 2025 (update scale and weight decay).
"""

import torch


def orthogonalise(matrix, steps=5):
    """Moves the singular values of a matrix [m, n] close to 1 by a quintic polynomial iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (matrix.t() if matrix.shape[0] > matrix.shape[1] else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.t()
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.float()
    return x.t() if matrix.shape[0] > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """For 2-D hidden matrices; the update has the root mean square size of an AdamW update, so both share a rate."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.1):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].mul_(group["momentum"]).add_(parameter.grad)
                update = orthogonalise(parameter.grad.add(momentum, alpha=group["momentum"]))
                scale = 0.2 * max(parameter.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def make_optimizers(model, lr, use_muon=True, weight_decay=0.1):
    """Muon for the hidden matrices, AdamW for the embedding and the norms (or AdamW for all)."""
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("embedding")]
    norms = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": [model.embedding.weight], "weight_decay": weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    if not use_muon:
        groups.append({"params": matrices, "weight_decay": weight_decay})
    optimizers = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))]
    if use_muon:
        optimizers.append(Muon(matrices, lr=lr, weight_decay=weight_decay))
    return optimizers
