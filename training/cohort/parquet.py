"""Reads a manifest in Parquet, as data frames are kept."""

from __future__ import annotations

import io
import math

from training.cohort.table import Line, Table, check_names, unreadable


def read_parquet(content: bytes) -> Table:
    """The table in the bytes of a Parquet file; whatever keeps it from being read is among its problems."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(io.BytesIO(content)) as file:
            read = file.read()
    except (ArrowException, OSError):
        return unreadable("this is not a whole Parquet file", "write it again")
    names = [str(name).strip() for name in read.column_names]
    columns = [[_text(value) for value in column.to_pylist()] for column in read.columns]
    lines = tuple(
        Line(number=number, cells=dict(zip(names, cells, strict=True)))
        for number, cells in enumerate(zip(*columns, strict=True), start=1)
    )
    return Table(columns=tuple(names), lines=lines, problems=tuple(check_names(names)))


def _text(value: object) -> str:
    """A cell as CSV would hold it; data frames turn whole numbers beside gaps into 12.0 and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
