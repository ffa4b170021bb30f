"""Do UAEs beat noise of the same size where data are few and an autoencoder overfits?

Every seed has a set of training images of its own. An autoencoder is trained on it, then again
from scratch on the images and as many additions: duplicates, the UAEs of several attacks, and for
each of these noise whose L2 norm is, image by image, that of the UAE: Gaussian, uniform, random
signs, and the UAE's own perturbation with its values on other pixels. Test error and what a linear
classifier makes of the code are compared set by set, with confidence intervals.

    python -m experiments.small_data
    python -m experiments.small_data --dataset mnist --train-size 1000 --seeds 0 1
    python -m experiments.small_data --dataset mnist --settings epsilon_0.1 --seeds 2 3 4 5 6 7

Of many settings one seems good by chance: choose on some seeds, confirm on others.
"""
