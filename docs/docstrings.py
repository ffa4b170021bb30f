"""For the API pages: our docstrings in the words that mkdocstrings knows."""

import re
from textwrap import dedent, indent
from typing import Any

import griffe

# Sections that are lists under another name, and sections that are prose.
_LISTS = {"Call arguments": "Args: Call arguments:", "Example": "Examples: Example:"}
_LIST = re.compile(rf"^( *)({'|'.join(_LISTS)}):\n+", re.MULTILINE)
_PROSE = re.compile(r"^( *)(Returns|Reference):\n((?:\1 +\S.*(?:\n|\Z))+)", re.MULTILINE)


class House(griffe.Extension):
    """Renames sections, and leaves types to the prose, which says them in words."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Prepare one module, class, function or attribute."""
        del kwargs
        if obj.docstring:
            text = _LIST.sub(lambda found: f"{found[1]}{_LISTS[found[2]]}\n", obj.docstring.value)
            obj.docstring.value = _PROSE.sub(_as_prose, text)
        if obj.is_function:
            obj.returns = None
            for parameter in obj.parameters:
                parameter.annotation = None


def _as_prose(found: re.Match) -> str:
    return indent(f"**{found[2]}:**\n\n{dedent(found[3])}", found[1])
