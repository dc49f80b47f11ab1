import math

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from training.cohort.manifest import CohortRequirements, inspect_manifest, read_cohort

PATHS = {"recording": ["a.flac", "b.flac"], "transcript": ["a.vtt", None]}


@pytest.fixture
def write(folder):
    """`write(person=[...], ...)` writes a manifest in Parquet; the files are those of two rows unless given."""

    def write(**columns):
        path = folder.path / "manifest.parquet"
        write_table(pa.table({**PATHS, **columns}), path)
        return path

    return write


def test_a_manifest_in_parquet_is_read_like_one_in_csv(write):
    cohort = read_cohort(
        write(person=["p1", "p2"], family=["f1", "f2"], label_spectrum=["none", None], age=[41.5, math.nan])
    )
    assert [row.age for row in cohort.rows] == [41.5, None]
    assert cohort.labels("spectrum", ["none"]).tolist() == [0, -1]
    assert cohort.rows[1].transcript is None


def test_numbers_that_a_data_frame_made_of_ids_are_ids_again(write):
    cohort = read_cohort(write(person=[1.0, 2.0], family=[7, 8], label_spectrum=["none", "none"]))
    assert (cohort.persons, cohort.families) == (("1", "2"), ("7", "8"))


def test_rows_are_counted_from_one(write):
    inspection = inspect_manifest(
        write(person=["p1", "p2"], family=["f1", "f2"], age=["old", "young"]), CohortRequirements()
    )
    assert [error.line for error in inspection.errors] == [1, 2]


def test_a_file_cut_short_is_refused(write):
    path = write(person=["p1", "p2"], family=["f1", "f2"])
    path.write_bytes(path.read_bytes()[:-20])
    assert [one.detail for one in inspect_manifest(path, CohortRequirements()).errors] == [
        "this is not a complete Parquet file"
    ]
