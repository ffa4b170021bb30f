"""Do UAEs help the concrete autoencoder to select features? Table 6, with the controls it lacks.

For every seed: fit `ConcreteFeatureSelector` to the training samples, find UAEs of these on its
network, and fit new selectors, with the same seed, to the originals and

    duplicate   the same samples once more: as many rows and steps, no perturbation
    mine        MINE-UAE

and compare the reconstruction errors of their networks on the test samples, and what classifiers
make of the selected features alone. Beside them stand features that took no training:

    random      drawn by the seed
    variance    those of greatest variance
    pca         that of greatest loading on each of the first K principal components
    greedy      those that restore the others best, linearly, one after the other

and, if that package is installed, those of LassoNet:

    lassonet    those that its network gives up last

    python -m experiments.feature_selection
    python -m experiments.feature_selection --dataset mnist --preset paper
"""
