"""Attacks: criterion × similarity × loop, and the noise that they are compared with."""

from keras_uae.attacks.base import Attack
from keras_uae.attacks.minmax import MinMaxAttack
from keras_uae.attacks.noise import gaussian_noise
from keras_uae.attacks.penalty import PenaltyAttack
from keras_uae.attacks.pgd import PGDAttack

__all__ = ["Attack", "MinMaxAttack", "PGDAttack", "PenaltyAttack", "gaussian_noise"]
