"""How fast are the attacks? As multiples of projected gradient descent with as many steps.

    attacks   every attack on five autoencoders
    sizes     `generate` on more and more images: is time linear, memory flat?
    batches   MINE-UAE and PGD in batches of 1 to 1024
    peers     PGD of ART and foolbox beside ours, where they are installed

    python -m experiments.benchmark
    python -m experiments.benchmark --sections attacks --repeats 9 --markdown
    python -m experiments.benchmark --json out/benchmark.json

Everything runs in one process, the methods in turns; see timing.py. Another section is a function
that measures and one that makes tables of it, in `SECTIONS` of sections.py.
"""
