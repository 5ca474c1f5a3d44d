"""The documentation's build: `make docs`. It needs no network."""

import sse_bridge

project = "sse-bridge"
author = "the sse-bridge authors"
release = version = sse_bridge.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "sse-bridge"

# In docstrings a word in single backticks is code.
default_role = "code"
# Types stand in the sentences; as links they would point into libraries that are not built here.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"


def setup(app):
    app.connect("html-page-context", _say_the_language)


def _say_the_language(app, pagename, templatename, context, doctree):
    """The pages under zh/ are in Chinese: browsers and screen readers ask the `lang` attribute."""
    if pagename.startswith("zh/"):
        context["language"] = "zh-CN"
