"""Does the MinMax attack converge as Theorem 1 says?

One convolutional autoencoder for each seed is attacked with several step sizes α, and the
stationarity gap ‖L(δ_t, c_t)‖² of every iteration is kept: zero where neither player of the min-max
problem can gain by a step. Theorem 1 bounds its least value in T iterations by C/√T, for α and the
errors of the estimator of the order 1/√T; so α = 1/√T is tried as well, for several T.

    python -m experiments.convergence
    python -m experiments.convergence --dataset mnist --similarity gaussian
"""
