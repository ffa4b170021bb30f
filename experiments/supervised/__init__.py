"""Supervised adversarial examples of greatest mutual information: Tables 2, 3, 8, Figures 1 to 4.

For every seed: train a classifier, take test images that it gets right, and find examples that it
gets wrong and that share as much information with their originals as can be:

    minmax      Algorithm 1, T iterations, MINE on the feature maps of the first convolution
    penalty     Algorithm 3 with as many iterations: B values of c, T/B for each
    conv        as minmax, with fewer iterations, for the comparison with
    random-K    MINE on K random projections, for several K

and both MinMax and PGD for several ε, on an image of each class.

    python -m experiments.supervised
    python -m experiments.supervised --dataset mnist --preset paper
"""
