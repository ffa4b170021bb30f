"""Do UAEs improve contrastive learning? Table 7 and Figure 10 (b), with controls.

For every seed: train SimCLR, find UAEs of its training images, and train anew, from scratch, on
twice as many images, all rows in as many steps:

    duplicate   the originals once more: no perturbation
    mine        MINE-UAE, `MinMaxAttack(model, criterion=Contrastive())`
    gaussian    the originals with Gaussian noise as large as the UAEs' perturbation is on average
    clae        the originals once more, with the adversarial views of CLAE in every step

and compare the contrastive loss on the test images, the accuracy of a linear classifier on the
frozen features, and how well this classifier withstands PGD.

    python -m experiments.contrastive
    python -m experiments.contrastive --dataset cifar10 --preset paper
"""
