"""SimCLR (Chen et al., 2020): contrastive learning of image features without labels."""

from models.simclr.augmentation import RandomViews
from models.simclr.evaluation import (
    NearestNeighborMonitor,
    ProbeAccuracy,
    linear_classifier,
    linear_head,
    linear_probe,
)
from models.simclr.model import SimCLR
from models.simclr.optimizers import LARS, cosine_schedule
from models.simclr.resnet import projection_head, resnet

__all__ = [
    "LARS",
    "NearestNeighborMonitor",
    "ProbeAccuracy",
    "RandomViews",
    "SimCLR",
    "cosine_schedule",
    "linear_classifier",
    "linear_head",
    "linear_probe",
    "projection_head",
    "resnet",
]
