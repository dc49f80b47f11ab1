import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from model.bundle.bundle import open_bundle
from model.pipeline import Pipeline
from training.card.card import check_bundle_card
from training.cohort.manifest import read_cohort
from training.errors import RobustnessError
from training.release.robustness import add_robustness
from training.robustness.files import read_table, write_measurement
from training.robustness.measurement import RobustnessRun, measure_robustness, read_settings
from training.robustness.settings import RobustnessBound, RobustnessSettings

FEW = RobustnessSettings(
    gains=(-6,),
    noise_levels=(20,),
    opus_rates=(24,),
    mp3_rates=(),
    aac_rates=(),
    word_errors=(0.2,),
    bounds={"copy": RobustnessBound(mean_change=0.01)},
)
CONDITIONS = [
    "copy",
    "gain -6 dB",
    "white noise 20 dB",
    "pink noise 20 dB",
    "Opus 24 kbit/s",
    "G.711 at 8 kHz",
    "8 kHz",
    "word errors 20%",
    "first half",
    "second half",
    "interviewer left in",
]


@pytest.fixture(scope="module")
def table(small_bundle):
    cohort = read_cohort(Path("examples/cohort/manifest.csv")).take([0, 1])
    with Pipeline.open(small_bundle, threads=1) as pipeline:
        run = RobustnessRun(pipeline=pipeline, cohort=cohort, task="spectrum", settings=FEW)
        return measure_robustness(run, Console(file=io.StringIO()))


@pytest.fixture
def bundle(small_bundle, tmp_path):
    import shutil

    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))


def test_every_condition_is_measured_on_every_recording(table):
    # Babble needs the voices of three other speakers.
    assert [row.name for row in table.rows] == CONDITIONS
    assert {row.recordings + row.abstained for row in table.rows} == {2}
    copy = table.rows[0]
    assert copy.largest_change < 1e-3
    assert max(row.largest_change for row in table.rows) > copy.largest_change
    assert table.violations() == ()


def test_a_bundle_shows_its_table_in_its_card(table, bundle, signing_key):
    before = open_bundle(bundle)
    signed = add_robustness(bundle, table, signing_key, datetime(2026, 11, 24, tzinfo=UTC))
    assert signed.digest != before.digest
    assert signed.signature is not None
    assert "## Robustness" in (bundle / "README.md").read_text(encoding="utf-8")
    assert read_table(bundle) == table
    check_bundle_card(bundle)


def test_a_broken_bound_changes_nothing(table, bundle):
    broken = table.model_copy(update={"bounds": {"word errors": RobustnessBound(mean_change=1e-9)}})
    before = (bundle / "manifest.json").read_bytes()
    with pytest.raises(RobustnessError, match="word errors 20%"):
        add_robustness(bundle, broken, None, datetime.now(UTC))
    assert (bundle / "manifest.json").read_bytes() == before
    assert not (bundle / "robustness.json").exists()


def test_the_table_of_another_bundle_is_refused(table, bundle):
    with pytest.raises(RobustnessError, match="another network"):
        add_robustness(bundle, table.model_copy(update={"network": "0" * 64}), None, datetime.now(UTC))


def test_the_measurement_is_written_as_data_page_and_plot(table, tmp_path):
    write_measurement(tmp_path / "out", table)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "robustness.html",
        "robustness.json",
        "robustness.svg",
    ]
    (tmp_path / "out" / "robustness.json").write_text("{}")
    with pytest.raises(RobustnessError, match="malformed"):
        read_table(tmp_path / "out")


def test_the_settings_file_holds_the_defaults_and_refuses_unknown_names(tmp_path):
    assert read_settings(Path("training/configs/robustness.yaml")) == RobustnessSettings()
    (tmp_path / "wrong.yaml").write_text("gain: [1]")
    with pytest.raises(RobustnessError, match="gain"):
        read_settings(tmp_path / "wrong.yaml")
