"""Downloads one file of a dataset into the cache: bounded, checked, and in one step."""

from __future__ import annotations

import io
import os
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fairbench.data.digest import sha256_lf

if TYPE_CHECKING:
    from fairbench.dataset import File

__all__ = ["DownloadError", "download"]

MOST_BYTES = 1 << 30
"""Largest download, and largest file inside one; the largest known dataset is far below."""
MOST_SECONDS = 600.0
SILENCE_SECONDS = 30.0
"""Longest wait for the next bytes."""
NESTING = "!"


class DownloadError(Exception):
    """Why a download did not give the file."""


def download(file: File, folder: Path, /) -> Path:
    """Fetch `file`, check its hash, and put it into `folder` under its name.

    The file appears in `folder` whole and verified, or not at all.

    Raises
    ------
    DownloadError
        When it cannot be fetched, unpacked or written, or has another hash.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as name:
            part = Path(name) / file.name
            _fetch(file, part)
            if (found := sha256_lf(part)) != file.sha256:
                raise DownloadError(f"{file.url} gave a file with another SHA-256: {found}")
            os.replace(part, folder / file.name)  # noqa: PTH105  # atomic within one folder's disk
    except OSError as error:  # requests' errors are among these
        raise DownloadError(f"downloading {file.url} failed: {error}") from error
    return folder / file.name


def _fetch(file: File, part: Path) -> None:
    import pooch

    whole = part.with_name("download")
    responses: list[Any] = []
    get = pooch.HTTPDownloader(
        timeout=SILENCE_SECONDS,
        hooks={"response": lambda response, **_: responses.append(response)},
    )
    try:
        with whole.open("wb") as stream:
            get(file.url, _Bounded(stream), None)
    finally:
        for response in responses:  # pooch leaves the connection of a failed download open
            response.close()
    with whole.open("rb") as stream, part.open("wb") as target:
        bounded = _Bounded(target)
        if file.member:
            try:
                _unpack(stream, file.member.split(NESTING), bounded)
            except (KeyError, NotImplementedError, RuntimeError, EOFError) as error:
                raise DownloadError(f"{file.url} has no readable {file.member}: {error}") from error
            except (zipfile.BadZipFile, zlib.error) as error:
                raise DownloadError(f"{file.url} is not a sound zip archive: {error}") from error
        else:
            _copy(stream, bounded)
        target.flush()
        os.fsync(target.fileno())


def _unpack(archive: IO[bytes], members: list[str], target: _Bounded) -> None:
    """Copy the member of that exact name, the last in a chain of archives within archives."""
    with zipfile.ZipFile(archive) as opened, opened.open(members[0]) as member:
        if len(members) == 1:
            _copy(member, target)
        else:
            inner = io.BytesIO()
            _copy(member, _Bounded(inner))
            _unpack(inner, members[1:], target)


def _copy(source: IO[bytes], target: _Bounded) -> None:
    while block := source.read(1 << 20):
        target.write(block)


class _Bounded:
    """A stream to write to that refuses to grow, or to last, beyond reason."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._room = MOST_BYTES
        self._until = time.monotonic() + MOST_SECONDS

    def write(self, block: bytes) -> int:
        self._room -= len(block)
        if self._room < 0:
            raise OSError(f"it is larger than {MOST_BYTES} bytes")
        if time.monotonic() > self._until:
            raise OSError(f"it takes longer than {MOST_SECONDS:g} seconds")
        return self._stream.write(block)

    def flush(self) -> None:
        self._stream.flush()
