"""From spikes of unsupervised neurons to classes: labels from training images, votes as small integers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikequant.program import IntArray, integers

Vote = Literal["proportion", "label"]
TOP = 255
EXACT_FLOAT32 = 1 << 24
"""Whole numbers below are exact in float32, in which a product of matrices is many times faster than in integers."""


def class_rates(counts: NDArray[np.integer[Any]], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return the mean number of spikes of each neuron on images of each class.

    Args:
        counts: Spikes ``(images, neurons)``.
        labels: Class of each image.
        classes: Number of classes; one without an image has rate 0.

    >>> class_rates(np.array([[2, 0], [4, 0], [0, 1]]), np.array([0, 0, 1]), 2).tolist()
    [[3.0, 0.0], [0.0, 1.0]]
    """
    members = np.zeros((classes, len(labels)))
    members[labels, np.arange(len(labels))] = 1.0
    sums = members @ counts.astype(np.float64)
    rates: NDArray[np.float64] = sums / np.maximum(members.sum(axis=1), 1.0)[:, None]
    return rates


def vote_codes(rates: NDArray[np.float64], vote: Vote) -> IntArray:
    """Return what one spike of each neuron counts for each class, integers 0..255 ``(classes, neurons)``.

    ``label``: a neuron belongs to the class it spoke for most (the lowest among equals); as a class is spoken
    for by the mean of its neurons, a spike counts inversely to their number. ``proportion``: a spike is shared
    among the classes by the neuron's rates. A neuron that never spiked counts nothing.

    Source: Diehl and Cook 2015, Section 2.5 (label).

    Note:
        BindsNET's ``proportion_weighting`` weighs by the same shares, but lets a neuron speak for its best class
        alone, and divides by the number of such neurons.

    >>> vote_codes(np.array([[3.0, 0.0, 1.0], [0.0, 1.0, 2.0]]), "label").tolist()
    [[255, 0, 0], [0, 128, 128]]
    >>> vote_codes(np.array([[3.0, 0.0, 1.0], [0.0, 1.0, 3.0]]), "proportion").tolist()
    [[255, 0, 64], [0, 255, 191]]
    """
    spoke = rates.sum(axis=0) > 0
    if vote == "proportion":
        shares = rates / np.where(spoke, rates.sum(axis=0), 1.0)
        return integers(np.floor(TOP * shares + 0.5))
    owns = (np.arange(len(rates))[:, None] == rates.argmax(axis=0)) & spoke
    members = owns.sum(axis=1, keepdims=True)
    fewest = members[members > 0].min() if members.any() else 1
    return integers(np.floor(TOP * fewest / np.maximum(members, 1) + 0.5) * owns)


def classes_of(counts: NDArray[np.integer[Any]], codes: IntArray) -> NDArray[np.int64]:
    """Return the class with most votes for each image, the lowest among equals.

    Args:
        counts: Spikes ``(images, neurons)``.
        codes: As :func:`vote_codes` returned them.
    """
    exact = np.float32 if int(counts.sum(axis=1).max(initial=0)) * TOP < EXACT_FLOAT32 else np.float64
    winners: NDArray[np.int64] = (counts.astype(exact) @ codes.T.astype(exact)).argmax(axis=1)
    return winners
