"""Pages of the documentation whose tables are those of the runs.

What stands between `<!-- results: NAME -->` and `<!-- end -->` is made from the runs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from experiments.report import claims, tables
from experiments.report.runs import FoundRun
from keras_uae._files import atomic_write

Block = Callable[[Sequence[FoundRun]], str]

BLOCKS: Mapping[str, Block] = {
    "claims": claims.overview,
    **{name: claim.section for name, claim in claims.CLAIMS.items()},
    **{name: partial(tables.block, table) for name, table in tables.TABLES.items()},
}
BLOCK = re.compile(r"(<!-- results: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages(root: Path) -> list[Path]:
    """README.md and the pages of docs in a checkout."""
    found = [
        path for path in (root / "README.md", *sorted(root.glob("docs/**/*.md"))) if path.exists()
    ]
    if not found:
        raise ValueError(
            "`docs` must be a checkout, with a README.md or pages in docs. "
            f"Received: docs={str(root)!r}, which has none."
        )
    return found


def filled(text: str, runs: Sequence[FoundRun]) -> str:
    """A page with what the runs say in its blocks."""

    def made(block: re.Match[str]) -> str:
        start, name, end = block.groups()
        if name not in BLOCKS:
            raise ValueError(
                f"a block of results must be one of {', '.join(BLOCKS)}. Received: {name!r}."
            )
        return f"{start}\n{BLOCKS[name](runs)}\n\n{end}"

    return BLOCK.sub(made, text)


def update(root: Path, runs: Sequence[FoundRun]) -> list[Path]:
    """Fill the pages of a checkout anew: those that have changed."""
    changed = []
    for path in pages(root):
        before = path.read_text(encoding="utf-8")
        if (after := filled(before, runs)) != before:
            with atomic_write(path) as file:
                file.write(after.encode())
            changed.append(path)
    return changed
