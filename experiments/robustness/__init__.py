"""How well classifiers withstand perturbations: Figures 6 to 9, and 10 (a) with its control.

For every seed, one part after the other:

    standard     a classifier trained on the images, on these and as many duplicates, and on these
                 and UAEs of a convolutional autoencoder; PGD over ε (Figure 10 a)
    adversarial  the same with adversarial training (Figure 9)
    madry        the adversarially trained one under PGD and MinMax (Figures 6 and 7)
    trades       TRADES under PGD and MinMax (Figures 6 and 8): the published weights, or a training

    python -m experiments.robustness
    python -m experiments.robustness --dataset mnist --parts trades --weights trades.npz
"""
