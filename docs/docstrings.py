"""For the API pages: our docstrings in the words that mkdocstrings knows."""

import re
from typing import Any

import griffe

# Our sections, and what Google style calls them; a section ends its title with a line of text.
_TITLES = {
    "Call arguments": "Args: Call arguments",
    "Example": "Examples: Example",
    "Reference": "Note: Reference",
}
_SECTION = re.compile(rf"^( *)({'|'.join(_TITLES)}):\n+", re.MULTILINE)


class House(griffe.Extension):
    """Renames sections, and leaves types to the prose, which says them in words."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Prepare one class or function."""
        del kwargs
        if obj.docstring:
            obj.docstring.value = _SECTION.sub(
                lambda found: f"{found[1]}{_TITLES[found[2]]}\n", obj.docstring.value
            )
        for parameter in getattr(obj, "parameters", ()):
            parameter.annotation = None
        if obj.is_function:
            obj.returns = None
