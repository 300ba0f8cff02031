"""A neural network in NumPy: it knows arrays, and nothing of files, Kaggle or the screen.

In reading order: arrays, kinds, initializers, layers, normalization, conv (with kernels/), pooling,
blocks, losses, network, optimizers, schedules, resampling, augmentation, batches, team, shards,
predictor, training; gradcheck shows that the derivatives are right.
"""

from pipeline.nn.augmentation import Augmentation
from pipeline.nn.gradcheck import check_gradient
from pipeline.nn.losses import Score, softmax, softmax_cross_entropy
from pipeline.nn.network import Network
from pipeline.nn.optimizers import SGD, AdamW, make_optimizer
from pipeline.nn.predictor import Predictor
from pipeline.nn.schedules import make_schedule
from pipeline.nn.shards import Shards
from pipeline.nn.training import EpochResult, Examples, Settings, Training

__all__ = [
    "SGD",
    "AdamW",
    "Augmentation",
    "EpochResult",
    "Examples",
    "Network",
    "Predictor",
    "Score",
    "Settings",
    "Shards",
    "Training",
    "check_gradient",
    "make_optimizer",
    "make_schedule",
    "softmax",
    "softmax_cross_entropy",
]
