"""The bundled data sets: scikit-learn's digits, MNIST, Fashion-MNIST and CIFAR-10."""

from spikequant import Dataset, hookimpl
from spikequant_datasets.cifar10 import Cifar10
from spikequant_datasets.digits import Digits
from spikequant_datasets.idx import FashionMnist, Mnist


@hookimpl
def spikequant_datasets() -> list[type[Dataset]]:
    """Offer the bundled data sets."""
    return [Digits, Mnist, FashionMnist, Cifar10]
