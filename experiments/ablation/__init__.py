"""What each choice of the attack does: Tables 9, 12, 13 and supplement 6.6.

One convolutional autoencoder for each seed is attacked in many ways:

    sensitivity   step sizes α and β (Table 12)
    similarity    what is minimised: MINE, L2, cosine, feature scattering, ... (Table 13)
    samples       random projections K of MINE
    penalty       the penalty method with as many iterations as MinMax (supplement 6.6)
    start         where δ starts and what a step follows, on which the paper is silent
    margin        the margin κ of the criterion
    time          every method, and augmentations without an attack (Table 9)

    python -m experiments.ablation
    python -m experiments.ablation --dataset mnist --parts penalty time
"""
