"""Reading the templates that ship with the gateway."""

import tomllib
from pathlib import Path

from gateway.content.template import read_source
from gateway.directory.model import Category
from gateway.dispatch.library import TemplateDocument


def read_library(folder: Path) -> dict[str, TemplateDocument]:
    """Read every built-in template, by name: its categories and its text in every language."""
    library = {}
    for about in sorted(folder.glob("*/template.toml")):
        facts = tomllib.loads(about.read_text(encoding="utf-8"))
        sources = {
            path.stem: read_source(path.stem, path.read_text(encoding="utf-8"))
            for path in sorted(about.parent.glob("*.md"))
        }
        categories = tuple(Category(name) for name in facts["category"])
        library[about.parent.name] = TemplateDocument(categories=categories, sources=sources)
    return library
