"""Do UAEs improve reconstruction? Table 4 of the paper, with the controls it does not have.

For every seed: train an autoencoder, find UAEs of its training images, and train anew, from
scratch, on the originals and one augmentation at a time:

    duplicate   the same images once more: as many samples and steps, no perturbation
    mine        MINE-UAE, `MinMaxAttack(model)`
    l2          L2-UAE, the perturbation with the largest reconstruction loss that still succeeds
    ga_0.01     Gaussian noise of σ = 0.01, and of 0.001: ga_0.001

and compare the reconstruction errors on the test images.

    python -m experiments.reconstruction
    python -m experiments.reconstruction --dataset mnist --model dense --preset paper
"""
