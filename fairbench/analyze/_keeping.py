"""Tables that were computed before, kept beside the run while nothing they rest on changes."""

from __future__ import annotations

import io
import json
import platform
import sys
from base64 import b64decode, b64encode
from dataclasses import asdict
from hashlib import sha256
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairbench.plugins import analysis_code, code_of, core_code
from fairbench.store import foundation, read_derived, read_proved, write_bytes, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.plugins import Component
    from fairbench.store import RunFolder

__all__ = ["FILE", "PUBLIC", "Kept"]

FILE = "tables.json"
"""What the tables of a run were computed from, and those that have no file of their own."""

PUBLIC = ("trials", "metrics", "groups", "fronts")
"""Tables that are files of their own, for others to read."""

_PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "moocore", "pyarrow")


class Kept:
    """The tables of one run that are kept in its folder.

    They count while a digest of all that they rest on is the one they were written with: the
    manifest, every chunk, failure and table of rows, the code of analysis and metrics, and the
    versions of what these calculate with. All arrays are held against their hashes for that, so
    that damage is met as if they were read for their numbers.

    Code that was edited since this process began may be other than what the process has loaded:
    what such a process computes is not kept.

    Parameters
    ----------
    folder
        The run folder.
    metrics
        The metrics that its tables hold.

    Raises
    ------
    RunFolderError
        Where a file of the run is not what was written, or cannot be read.
    """

    def __init__(self, folder: RunFolder, metrics: Sequence[Component], /) -> None:
        self._path = folder.path
        self._origin = _origin(folder, metrics)
        document = read_derived(folder.path / FILE)
        known = bool(self._origin) and document.get("origin") == self._origin
        self._tables: dict[str, Any] = document["tables"] if known else {}

    def read(self, name: str, /) -> pd.DataFrame | None:
        """Return a table as it would be computed now; None where it is not kept."""
        content = self._content(name)
        return None if content is None else _restored(content, self._tables[name]["columns"])

    def _content(self, name: str) -> bytes | None:
        about = self._tables.get(name)
        if about is None:
            return None
        if name in PUBLIC:
            return read_proved(self._path / f"{name}.parquet", about["sha256"])
        return b64decode(about["parquet"])

    def write(self, tables: Mapping[str, pd.DataFrame], /) -> None:
        """Keep tables that were computed of this run; equal tables give equal bytes.

        A table that cannot be read back exactly as it is has no place among them, unless it is
        one of `PUBLIC`, which is then written for others only.

        Raises
        ------
        OSError
            Where the folder cannot be written.
        """
        fresh = {}
        for name, table in tables.items():
            if self._content(name) is not None:
                continue
            content = _parquet(table)
            about: dict[str, Any] = {"parquet": b64encode(content).decode()}
            if name in PUBLIC:
                write_bytes(self._path / f"{name}.parquet", content)
                about = {"sha256": sha256(content).hexdigest()}
            about["columns"] = {str(column): str(kind) for column, kind in table.dtypes.items()}
            if self._origin and _same(_restored(content, about["columns"]), table):
                fresh[name] = about
        if fresh:
            self._tables = dict(sorted({**self._tables, **fresh}.items()))
            write_json(self._path / FILE, {"origin": self._origin, "tables": self._tables})


def _origin(folder: RunFolder, metrics: Sequence[Component]) -> str:
    """Digest of all that tables rest on; empty where the code that this process uses is unknown."""
    origins = {metric.origin() for metric in metrics}
    codes = [core_code(), analysis_code(), *(code_of(*origin) for origin in sorted(origins))]
    if any(code.edited for code in codes) or not all(map(_is_a_file, metrics)):
        return ""
    described = [(metric.qualified, repr(metric.description)) for metric in metrics]
    whole = sha256()
    for part in (_versions(), described, list(map(asdict, codes)), *foundation(folder)):
        whole.update(json.dumps(part, sort_keys=True).encode())
    return whole.hexdigest()


def _is_a_file(metric: Component) -> bool:
    """Whether a metric's module has a file: what was typed into a session has no digest."""
    module = sys.modules.get(metric.description.target.partition(":")[0])
    return bool(getattr(module, "__file__", None))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def _parquet(table: pd.DataFrame) -> bytes:
    """`table` as Parquet, without its index."""
    columns = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(columns, buffer, compression="zstd")
    return buffer.getvalue()


def _restored(content: bytes, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table that `_parquet` was given, whose `columns` have these types."""
    table: pd.DataFrame = pq.read_table(io.BytesIO(content)).to_pandas()
    return table.astype(dict(columns))


def _same(restored: pd.DataFrame, table: pd.DataFrame) -> bool:
    """Whether two tables are equal to the last bit, with their types and the kinds of gaps."""
    if not restored.equals(table) or not isinstance(table.index, pd.RangeIndex):
        return False
    loose = [column for column, kind in table.dtypes.items() if kind.kind == "O"]
    return all(
        list(map(type, restored[column])) == list(map(type, table[column])) for column in loose
    )
