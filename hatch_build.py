"""The README as a package index shows it, where no file lies beside it: its links lead to the repository.

While `project.urls` names no ``Repository``, they are words, with the file's name in the sdist.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?![a-z]+:)([^)\s]+)\)")
# The words of a link may be a picture.
_LINK = re.compile(r"(?<!!)\[((?:!\[[^\]]*\]\([^)]*\)|[^\[\]])*)\]\((?!#|[a-z]+:)([^)\s]+)\)")


class Readme(MetadataHookInterface):
    """What hatchling asks for the fields that are `dynamic`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in ``readme``."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        shown = for_index(text, metadata.get("urls", {}).get("Repository"))
        metadata["readme"] = {"content-type": "text/markdown", "text": shown}


def for_index(text: str, repository: str | None) -> str:
    """The page with its links to files made whole, but for what stands in blocks of code."""

    def picture(found: re.Match[str]) -> str:
        words, target = found.groups()
        return words if repository is None else f"![{words}]({repository}/raw/HEAD/{target})"

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if repository is None:
            return f"{words} (`{target.partition('#')[0]}`)"
        return f"[{words}]({repository}/blob/HEAD/{target})"

    def whole(part: str) -> str:
        return _LINK.sub(link, _PICTURE.sub(picture, part))

    parts = _FENCED.split(text)
    return "".join(part if part.startswith("```") else whole(part) for part in parts)
