"""``python -m fairbench_paper.reproduction docs/paper-results.json``: write the docs page anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fairbench_paper.reproduction.documents import pages
from fairbench_paper.reproduction.storage import load


def main(path: Path, /) -> None:
    """Write the page and its figures beside the results file at `path`."""
    results = load(json.loads(path.read_text(encoding="utf-8")))
    for name, content in pages(results).items():
        page = path.parent / name
        page.parent.mkdir(exist_ok=True)
        page.write_text(content, encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
