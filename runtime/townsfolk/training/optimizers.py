"""What makes steps of gradients: AdamW, and Muon for matrices where it is asked for.

Muon steps a matrix in the nearest orthogonal direction of its momentum, so that rare directions are
learned as fast as frequent ones. With steps of the size that AdamW's have, both take the same
learning rate.

Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024; Liu et al.,
Muon is Scalable for LLM Training, 2025.
"""

from collections.abc import Iterable

from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer


def optimizers(
    model: nn.Module, matrices: Iterable[Tensor], learning_rate: float, weight_decay: float
) -> tuple[Optimizer, ...]:
    """Return the optimizers of a model's parameters.

    Args:
        model: Its parameters, where they will stay: AdamW's steps are fused on a GPU.
        matrices: Those that Muon steps. Vectors and what is looked up row by row are not for it.
        learning_rate: The peak.
        weight_decay: Of all that is not a vector.
    """
    orthogonal = {id(each): each for each in matrices}
    rest = [each for each in model.parameters() if id(each) not in orthogonal]
    adam = AdamW(
        [
            {"params": [p for p in rest if p.dim() > 1], "weight_decay": weight_decay},
            {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=learning_rate,
        betas=(0.9, 0.95),
        fused=any(each.is_cuda for each in rest),
    )
    if not orthogonal:
        return (adam,)
    muon = Muon(
        list(orthogonal.values()),
        lr=learning_rate,
        weight_decay=weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return adam, muon
