"""The recipe: how an architecture is trained unless the user says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an architecture is trained unless the user says otherwise.

    The defaults come from TabM: Gorishniy et al., "TabM: advancing tabular deep learning with
    parameter-efficient ensembling" (2025). With averaged weights twice its learning rate and half
    its patience give the same scores in half the epochs (docs/network.md has the figures).

    Attributes:
        learning_rate: The highest learning rate of the schedule.
        weight_decay: The decoupled weight decay of Loshchilov and Hutter, "Decoupled weight decay
            regularization" (2019): each step takes the learning rate times this share off a
            weight; nothing off biases.
        decay_schedule: How the weight decay goes on, by the name of a schedule; None for constant.
        beta_1: How slowly Adam's mean of the gradients forgets.
        beta_2: How slowly Adam's mean of the squared gradients forgets.
        epsilon: What Adam adds to the root of that mean.
        ema_momentum: How slowly the average of the weights forgets, which validation and the final
            network use (see `headrace.model.averages`); None for the weights of the last step.
        clip_norm: The greatest norm of all gradients together; None for any.
        schedule: How the learning rate goes on, by the name of a schedule; None for constant.
        epochs: The most epochs, with validation rows.
        epochs_without_validation: The epochs where no validation rows say when to stop.
        most_steps: The most optimiser steps of all epochs together: with many rows an epoch says
            more, and fewer are enough. None for any.
        patience: After how many epochs without a better validation loss training stops; the best
            weights come back. None for no early stopping and the last weights.
        label_smoothing: The share of each label that is spread over all classes, where the figure
            that counts is the accuracy; where probabilities count it harms, and is left out.

    Example:
        >>> Recipe(learning_rate=0.04, schedule="coslog4").schedule
        'coslog4'
    """

    learning_rate: float = 4e-3
    weight_decay: float = 3e-4
    decay_schedule: str | None = None
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    ema_momentum: float | None = 0.99
    clip_norm: float | None = 1.0
    schedule: str | None = None
    epochs: int = 200
    epochs_without_validation: int = 40
    most_steps: int | None = None
    patience: int | None = 8
    label_smoothing: float = 0.0

    def epochs_for(self, steps: int, *, validated: bool) -> int:
        """Answer how many epochs a training has at most.

        Args:
            steps: Optimiser steps an epoch.
            validated: Whether validation rows say when to stop.

        Example:
            >>> Recipe(epochs=128, most_steps=12_000).epochs_for(1_000, validated=True)
            12
        """
        most = self.epochs if validated else self.epochs_without_validation
        return most if self.most_steps is None else max(1, min(most, self.most_steps // steps))
