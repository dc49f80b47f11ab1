import io

from rich.console import Console

from training.cohort.manifest import NO_REQUIREMENTS, CohortRequirements
from training.cohort.report import print_inspection


def said(inspection, wanted=NO_REQUIREMENTS):
    out = io.StringIO()
    print_inspection(inspection, wanted, Console(file=out, width=200))
    return out.getvalue()


def cells(text, first):
    """The cells of the table's row that begins with a word."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"│ {first} ")]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_documents_persons_families_outcomes_and_roles_are_counted(folder):
    text = said(
        folder.inspect(
            "p1,f1,a.flac,a.vtt,none,parent,50,male",
            "p1,f1,b.flac,,none,parent,50,male",
            "p2,f1,,b.vtt,mild,offspring,20,female",
            "p3,f2,c.flac,,,,20,female",
        )
    )
    assert "4 documents of 3 persons in 2 families" in text
    assert "without audio: 1; without transcript: 2" in text
    assert cells(text, "none") == ["none", "2", "1", "1", "2", "0", "0"]
    assert cells(text, "mild") == ["mild", "1", "1", "1", "0", "1", "0"]
    assert cells(text, "(missing)") == ["(missing)", "1", "1", "1", "0", "0", "1"]
    assert "0 errors, 2 warnings" in text


def test_a_problem_has_its_line_its_column_and_what_to_do(folder):
    text = said(folder.inspect("p1,f1,a.flac,,none,child,50,male"))
    assert cells(text, "2")[:4] == ["2", "role", "error", "this is not a role"]
    assert "write parent or offspring" in text
    assert "1 error, 1 warning" in text


def test_markup_in_values_is_escaped(folder):
    header = "person,family,recording,transcript,label_spectrum,[red]x[/]"
    assert "[red]x[/]" in said(folder.inspect("p1,f1,a.flac,,none,1", header=header))


def test_requested_outcomes_keep_their_order_also_without_documents(folder):
    wanted = CohortRequirements(task="spectrum", outcomes=("none", "mild", "severe"), role="parent")
    text = said(folder.inspect("p1,f1,a.flac,,mild,parent,50,male", wanted=wanted), wanted)
    assert [text.index(f"│ {outcome} ") for outcome in wanted.outcomes] == sorted(
        text.index(f"│ {outcome} ") for outcome in wanted.outcomes
    )
    assert cells(text, "severe")[1] == "0"
    assert ", role parent" in text
