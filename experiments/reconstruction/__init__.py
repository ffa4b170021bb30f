"""Do UAEs improve reconstruction? Tables 4, 5 and 11 of the paper, with controls it does not have.

For every seed: train an autoencoder, find UAEs of its training images, and train anew, from
scratch, on the originals and one augmentation at a time:

    duplicate   the same images once more: as many samples and steps, no perturbation
    mine        MINE-UAE, `MinMaxAttack(model)`
    l2          L2-UAE, the perturbation with the largest reconstruction loss that still succeeds
    ga_0.01     Gaussian noise of σ = 0.01, and of 0.001: ga_0.001

and compare the reconstruction errors on the test images. `--rows conventional` does the same with
flips, rotations and noise, alone and with UAEs of the model that was trained on them; `--rows
rounds` adds UAEs of the model that was trained on UAEs. Each has a control of equal budget.

    python -m experiments.reconstruction
    python -m experiments.reconstruction --dataset mnist --model dense --preset paper
    python -m experiments.reconstruction --dataset svhn_cropped --rows uae conventional
"""
