"""Write the results as a table with a row for each line of the manifest; the file is complete or absent."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.cli.batch_client.errors import BatchCommandError, invalid_input

ResultRow = dict[str, str | float | None]
FORMATS = (".parquet", ".csv", ".jsonl")
LEADING_COLUMNS = ("custom_id", "assessment", "state", "task", "outcome")
NUMBER_COLUMNS = ("contribution_audio", "contribution_text", "contribution_baseline", "duration_seconds")
TRAILING_COLUMNS = (*NUMBER_COLUMNS, "quality_flags", "model_digest", "error_code", "error_advice")


def check_output(out: Path) -> None:
    """Check before the run that the results can be written. Raises BatchCommandError, ModuleNotFoundError."""
    if out.suffix.lower() not in FORMATS:
        raise invalid_input(f"--out has to end in one of {', '.join(FORMATS)}.")
    if out.suffix.lower() == ".parquet":
        import pyarrow.parquet  # noqa: F401
    if out.exists():
        raise BatchCommandError(f"{out} exists already. Delete it, or name another --out.", os.EX_CANTCREAT)
    if not out.absolute().parent.is_dir():
        raise BatchCommandError(f"There is no folder {out.absolute().parent}.", os.EX_CANTCREAT)


def result_row(line: Mapping[str, Any]) -> ResultRow:
    """A line of a batch's output or errors, flat. `p_...` are the calibrated probabilities of the outcomes."""
    result, error = line.get("result"), line.get("error") or {}
    row: ResultRow = {
        "custom_id": line["custom_id"],
        "assessment": line["assessment"],
        "state": line["state"],
        "error_code": error.get("code"),
        "error_advice": error.get("advice"),
    }
    return row if result is None else {**row, **_scores(result)}


def _scores(result: Mapping[str, Any]) -> ResultRow:
    shares = result["contributions"] or {}
    quality = result["quality"]
    return {
        "task": result["task"],
        "outcome": result["outcome"],
        **{f"p_{item['outcome']}": item["probability"] for item in result["probabilities"]},
        **{f"contribution_{name}": shares.get(name) for name in ("audio", "text", "baseline")},
        "quality_flags": ";".join(flag["code"] for flag in quality["flags"]),
        "duration_seconds": quality["duration_seconds"],
        "model_digest": result["model"]["digest"],
    }


def write_results(rows: Sequence[ResultRow], out: Path) -> None:
    """Write all rows in the format of the suffix and rename the file into place. Raises BatchCommandError."""
    probabilities = list(dict.fromkeys(name for row in rows for name in row if name.startswith("p_")))
    columns = [*LEADING_COLUMNS, *probabilities, *TRAILING_COLUMNS]
    part = out.with_name(f".{out.name}.part")
    try:
        writers = {".csv": _write_csv, ".jsonl": _write_json_lines, ".parquet": _write_parquet}
        writers[out.suffix.lower()](rows, columns, part)
        # Synced before the rename: a loss of power must not leave the name with an empty file.
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(out)
    except OSError as error:
        raise BatchCommandError(f"{out} cannot be written: {error.strerror}.", os.EX_CANTCREAT) from None
    finally:
        part.unlink(missing_ok=True)


def _write_csv(rows: Sequence[ResultRow], columns: Sequence[str], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.DictWriter(output, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _write_json_lines(rows: Sequence[ResultRow], columns: Sequence[str], file: Path) -> None:
    with file.open("w", encoding="utf-8") as output:
        for row in rows:
            whole = {name: row.get(name) for name in columns}
            output.write(json.dumps(whole, ensure_ascii=False) + "\n")


def _write_parquet(rows: Sequence[ResultRow], columns: Sequence[str], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    schema = pa.schema([(name, pa.float64() if _is_number(name) else pa.string()) for name in columns])
    values = {name: [row.get(name) for row in rows] for name in columns}
    pyarrow.parquet.write_table(pa.table(values, schema=schema), file)


def _is_number(column: str) -> bool:
    return column in NUMBER_COLUMNS or column.startswith("p_")
