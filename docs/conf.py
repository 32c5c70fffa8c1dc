"""
How the documentation is built. Nothing here reads the clock: the same sources make the same pages.
"""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils.nodes import Element, Text
from pygments.lexers import TextLexer
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.matching import patfilter

import cobranza_sdk

sys.path.insert(0, str(Path(__file__).parent))
from country_pages import write_pages  # beside this file
from provider_pages import write_provider_pages

project = "cobranza-sdk"
author = "The cobranza-sdk maintainers"
project_copyright = author
release = version_of("cobranza-sdk")
version = ".".join(release.split(".")[:2])

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "examples"]
templates_path: list[str] = []
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"{project} {release}"
html_last_updated_fmt = None

default_role = "code"
autodoc_member_order = "alphabetical"
autodoc_typehints = "none"
napoleon_numpy_docstring = False

# Names outside the public surface (the standard library's, other projects', our inner types) are shown, not linked:
# there is no inventory of them without a network. A reference to `cobranza_sdk.Name` must lead somewhere.
nitpick_ignore_regex = [(r"py:.*", r"(?!cobranza_sdk\.[A-Z]).*")]


def drop_empty_toctrees(app: Sphinx, docname: str, content: list[str]) -> None:
    """
    Leave out of the index the kinds of page that have none yet: a glob without a match is a warning.
    """
    if docname == "index":
        others = app.env.found_docs - {docname}
        for block in re.findall(r"```\{toctree\}.*?\n```\n", content[0], flags=re.DOTALL):
            pattern = block.split()[-2]
            if not patfilter(others, pattern):
                content[0] = content[0].replace(block, "")


def write_generated(app: Sphinx) -> None:
    """
    Make the pages of countries and providers before sources are looked for.
    """
    write_pages(Path(app.srcdir) / "countries")
    write_provider_pages(Path(app.srcdir))


def find_public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Element) -> Element | None:
    """
    Lead a reference to the module in which a public name is kept to where it is documented.
    """
    name = node["reftarget"].rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in cobranza_sdk.__all__:
        return None
    python = env.domains.python_domain
    target = f"cobranza_sdk.{name}"
    shown = Text(name) if contnode.astext().startswith("cobranza_sdk.") else contnode
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, shown)


def setup(app: Sphinx) -> None:
    """
    Connect what stands above.
    """
    app.add_lexer("csv", TextLexer)
    app.connect("builder-inited", write_generated)
    app.connect("source-read", drop_empty_toctrees)
    app.connect("missing-reference", find_public_name)
