"""Configuration of the documentation site; `make docs` builds it. Nothing is fetched from the network."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

from ejectamap import __version__  # noqa: E402

project = "ejectamap"
author = "the ejectamap developers"
project_copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "generated_pages",
    "terminal",
]
exclude_patterns = ["_build", "_templates", "**/*.part.md"]
root_doc = "index"
default_role = "code"
highlight_language = "none"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Pages are executed at every build, so that none shows what an earlier version printed.
nb_execution_mode = "force"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # pages hold no widgets, which would be fetched from the network

numpydoc_show_class_members = False
autodoc_typehints = "none"  # the docstrings give types
# The part of a page that lists all names; Sphinx looks for them in whole pages otherwise.
autosummary_generate = ["reference/public_names.part.md"]
templates_path = ["_templates"]
copybutton_prompt_text = "$ "

html_theme = "pydata_sphinx_theme"
html_title = "ejectamap"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "ejectamap"},
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}

# Where commands and notebooks run: a folder for each page, with copies of one simulated planet.
terminal_folder = HERE / "_build" / "work"
os.environ["EJECTAMAP_DOCS_FOLDER"] = str(terminal_folder)
os.environ.setdefault("OMP_NUM_THREADS", "1")
