"""A neural network in NumPy: it knows arrays, and nothing of files, Kaggle or the screen.

Read ``plain`` first: all of it on one page, by the book. (It can also be run, and then reads digits
and prints.) The rest is the same, made fast, and is tested against it. In reading order: layers,
normalization, conv (with kernels/), pooling, losses, network, optimizers (with newton_schulz),
schedules, resampling, augmentation, batches, training. Beneath them: arrays, kinds, initializers,
base (what a layer is), blocks, team, shards, predictor. gradcheck shows that derivatives are right.
"""

from pipeline.nn.augmentation import Augmentation
from pipeline.nn.gradcheck import check_gradient
from pipeline.nn.losses import Score, softmax, softmax_cross_entropy
from pipeline.nn.network import Network
from pipeline.nn.optimizers import SGD, AdamW, Muon, make_optimizer
from pipeline.nn.predictor import Predictor
from pipeline.nn.schedules import make_schedule
from pipeline.nn.shards import Shards, plan_cut
from pipeline.nn.training import EpochResult, Examples, Settings, Training

# Which arithmetic this is. Whoever changes what a training or a prediction computes, be it in the
# last bits alone, raises it: finished runs then count as made by another network, and are due.
# Other code that computes the same leaves it as it is. tests/nn/test_arithmetic.py tells when.
ARITHMETIC = 3

__all__ = [
    "ARITHMETIC",
    "SGD",
    "AdamW",
    "Augmentation",
    "EpochResult",
    "Examples",
    "Muon",
    "Network",
    "Predictor",
    "Score",
    "Settings",
    "Shards",
    "Training",
    "check_gradient",
    "make_optimizer",
    "make_schedule",
    "plan_cut",
    "softmax",
    "softmax_cross_entropy",
]
