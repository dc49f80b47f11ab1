import codecs

import pytest

from training.cohort.readers import read_csv

HEADER = "person,family,recording,transcript\n"


def problem_of(content):
    (problem,) = read_csv(content).problems
    return problem


def test_cells_are_read_without_spaces_around_them():
    table = read_csv(b" person , family,recording,transcript\n p1 ,f1,  a b.flac ,\n")
    assert table.columns == ("person", "family", "recording", "transcript")
    assert table.lines[0].cells == {"person": "p1", "family": "f1", "recording": "a b.flac", "transcript": ""}


def test_a_quoted_line_break_does_not_shift_the_numbers_of_lines():
    table = read_csv((HEADER + '"p\n1",f1,a,\n"p,2",f2,b,\r\np3,f3,c,').encode())
    assert [(line.number, line.cells["person"]) for line in table.lines] == [(2, "p\n1"), (4, "p,2"), (5, "p3")]


def test_a_byte_order_mark_is_skipped_with_a_warning():
    table = read_csv(codecs.BOM_UTF8 + (HEADER + "p1,f1,a,\n").encode())
    assert table.columns[0] == "person"
    assert [one.warning for one in table.problems] == [True]


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(separator, name):
    problem = problem_of((HEADER + "p1,f1,a,").replace(",", separator).encode())
    assert (problem.line, problem.detail) == (1, f"columns are separated by {name}")
    assert "commas" in problem.advice


def test_the_line_that_is_not_utf_8_is_named_and_how_to_save_it():
    problem = problem_of((HEADER + "p1,f1,a,\nJürgen,f2,b,\n").encode("latin-1"))
    assert (problem.line, problem.detail) == (3, "this is not UTF-8")
    assert "CSV UTF-8" in problem.advice


def test_utf_16_is_recognised():
    assert problem_of(HEADER.encode("utf-16")).detail == "this is UTF-16, not UTF-8"


def test_blank_lines_between_rows_are_named_and_those_at_the_end_are_not():
    table = read_csv((HEADER + "p1,f1,a,\n\np2,f2,b,\n,,,\np3,f3,c,\n\n\n").encode())
    assert [(one.line, one.detail) for one in table.problems] == [(3, "the line is blank"), (5, "the line is blank")]
    assert len(table.lines) == 3


def test_a_row_of_too_many_or_too_few_cells_is_named():
    table = read_csv((HEADER + "p1,f1,a,,\np2,f2,b\n").encode())
    details = ["5 cells for 4 columns", "3 cells for 4 columns"]
    assert [(one.line, one.detail) for one in table.problems] == list(zip([2, 3], details, strict=True))


def test_two_columns_of_one_name_are_refused():
    problem = problem_of(HEADER.replace("transcript", "transcript,transcript").encode())
    assert (problem.column, problem.detail) == ("transcript", "2 columns have this name")


def test_an_index_that_pandas_wrote_is_recognised():
    assert "index=False" in problem_of(("," + HEADER).encode()).advice


def test_a_table_without_a_header_is_refused_without_repeating_it():
    problem = problem_of(b"jane,f1,a.flac,a.vtt\n")
    assert problem.detail == "this line names no column of a manifest"
    assert "jane" not in str(problem)


@pytest.mark.parametrize("content", [b"", b"\n\n", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(content):
    assert problem_of(content).detail == "the first line is empty"


def test_a_quotation_that_does_not_end_is_refused():
    assert problem_of((HEADER + '"p1,f1,a,\n').encode()).detail == "quotation marks do not match"


def test_the_separator_line_of_excel_is_named():
    assert problem_of(b"sep=,\n" + HEADER.encode()).detail == "this is Excel's separator line"
