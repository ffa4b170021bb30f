"""Samples and their UAEs as data for `model.fit`."""

from keras_uae.augmentation.dataset import UAEAugmentation, epoch_order
from keras_uae.augmentation.refresh import RefreshUAEs
from keras_uae.augmentation.rounds import Round, augment_in_rounds

__all__ = ["RefreshUAEs", "Round", "UAEAugmentation", "augment_in_rounds", "epoch_order"]
