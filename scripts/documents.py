"""For mkdocs: pages from the top of the repository, and links as they are right on a site.

Documents link to one another and to files as they lie in the repository, so that they can be read
there. On the site, a file that is no page is linked where `extra.source` says that files are shown;
where it says nothing, only the text of such a link stays.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

#: File of the repository -> page of the site; all that is in docs/ is a page under its own name.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
}
_LINK = re.compile(r"(!?\[(?P<text>[^\[\]]*)\])\((?P<target>[^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages from the top."""
    root = Path(config["config_file_path"]).parent
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(root / source).read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turn the links of a page."""
    here = page.file.src_uri
    tops = {there: source for source, there in PAGES.items()}
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files if file.src_uri not in tops}
    source = tops.get(here, f"docs/{here}")
    root = Path(config["config_file_path"]).parent
    return turned(markdown, source, here, pages | PAGES, root, config["extra"]["source"])


def turned(
    markdown: str, source: str, here: str, pages: dict[str, str], root: Path, shown: str
) -> str:
    """`markdown` of the repository's file `source` as the site's page `here`, but for its code.

    `pages`: file of the repository -> page of the site; `root`: the repository; `shown`: where
    files that are no page are shown. A link to nowhere stays as it is, for mkdocs to find.
    """

    def turn(match: re.Match[str]) -> str:
        path, mark, anchor = match["target"].partition("#")
        file = normpath(join(dirname(source), path))
        if not path or "://" in path:
            return match[0]
        if file in pages:
            return f"{match[1]}({relpath(pages[file], dirname(here) or '.')}{mark}{anchor})"
        if not (root / file).exists():
            return match[0]
        return f"{match[1]}({shown}/{file}{mark}{anchor})" if shown else match["text"]

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(turn, part) for part in parts)
