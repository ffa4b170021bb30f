"""What TensorFlow makes of the processor: whether it takes the operations of oneDNN.

By itself it takes them where the processor has instructions for neural networks. With AVX2 alone
its own convolutions take two to four times as long. Programs of ours ask for them; a library
leaves the process of others alone, and says so.
"""

import os
import platform
import sys
from pathlib import Path

# read when TensorFlow is imported
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
WITH_ONEDNN = (
    f"speed: convolutions take a quarter to half of the time on this processor with {ONEDNN}=1 in "
    "the environment, before TensorFlow is imported"
)
# any of them makes TensorFlow take them by itself, on Linux
_NEURAL = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def instructions() -> set[str]:
    """The instruction sets of the processor, as Linux calls them; elsewhere none."""
    try:
        return set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return set()


def takes_onednn() -> bool | None:
    """Whether TensorFlow takes the operations of oneDNN; `None` where the system does not tell."""
    if chosen := os.environ.get(ONEDNN):
        return chosen.lower() in ("1", "true")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return None
    return bool(instructions() & _NEURAL)


def leaves_onednn_out() -> bool:
    """Whether it does not, and nobody has chosen so."""
    return takes_onednn() is False and not os.environ.get(ONEDNN)
