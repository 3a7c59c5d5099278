"""Excel workbooks, read by pandas and openpyxl where that is installed."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from fairbench.data.tables import Table, frame_table
from fairbench.errors import DataError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["excel_table"]


def excel_table(data: bytes, where: str) -> Table:
    """The first sheet of a workbook, its first row that is not empty the header.

    Raises
    ------
    DataError
        Where openpyxl is not installed, or cannot read it, or the sheet is empty.
    """
    frame, others = _sheets(data, where)
    filled = frame.notna().any(axis=1)
    lines = (frame.index[filled] + 1).tolist()
    frame = frame[filled]
    if frame.empty:
        raise DataError("the sheet is empty", where=where, hint="give a table with a header row")
    header = ["" if cell is None else str(cell) for cell in frame.iloc[0].astype(object).where(
        frame.iloc[0].notna(), None)]  # fmt: skip
    body = frame.iloc[1:].set_axis(header, axis=1)
    if body.empty:
        raise DataError("the table has a header and no rows", where=where, hint="add its rows")

    def places(rows: Sequence[int]) -> list[str]:
        return [f"row {lines[row + 1]}" for row in rows]

    unread = f"only the first sheet is read, not {', '.join(map(repr, others))}"
    return frame_table(where, body, places, (unread,) if others else ())


def _sheets(data: bytes, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The cells of the first sheet, and the names of the others."""
    import pandas as pd

    try:
        import openpyxl  # noqa: F401  # pandas imports it by name, and only then

        with warnings.catch_warnings():  # of features of Excel that bear on no cell
            warnings.simplefilter("ignore")
            with pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
                frame = book.parse(
                    0, header=None, dtype=object, keep_default_na=False, na_values=[]
                )
                return frame.replace("", None), [str(name) for name in book.sheet_names[1:]]
    except ImportError as error:
        raise DataError(
            "reading Excel needs openpyxl, which is not installed",
            where=where,
            hint="pip install 'fairbench-mtl[excel]', or save the sheet as CSV",
        ) from error
    except Exception as error:  # openpyxl raises whatever a broken workbook makes it meet
        raise DataError(
            f"not an Excel workbook: {first_line(error)}",
            where=where,
            hint="open it in Excel and save it again, or save the sheet as CSV",
        ) from error
