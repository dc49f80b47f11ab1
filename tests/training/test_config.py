from pathlib import Path

import pytest
from pydantic import ValidationError

from training.config import RunSettings, TrainingSettings, load_run, load_settings

CONFIGS = sorted(Path("training/configs").rglob("*.yaml"))
OF_A_RUN = [path for path in CONFIGS if path.stem not in ("demo", "robustness")]


def test_every_config_is_found():
    names = ["default.yaml", "demo.yaml", "matrix.yaml", "quick.yaml", "robustness.yaml"]
    assert [path.name for path in CONFIGS] == names


@pytest.mark.parametrize("path", OF_A_RUN, ids=lambda path: path.stem)
def test_a_config_of_a_run_loads(path):
    settings = load_run(path)
    assert len({one.name for one in settings.candidates}) == len(settings.candidates)
    assert settings.task == "spectrum"


def test_the_demonstration_loads_and_its_shares_are_whole():
    settings = load_settings(Path("training/configs/demo.yaml"))
    assert abs(sum(settings.cohort.shares.values()) - 1) < 1e-9
    assert tuple(settings.cohort.shares) == settings.run.tasks["spectrum"]


def test_seeds_of_training_and_measuring_differ():
    settings = load_settings(Path("training/configs/demo.yaml"))
    seeds = {settings.seed, settings.fresh_seed, settings.standins.seed, settings.standins.seed + 1, 4242}
    assert len(seeds) == 5


def test_an_empty_file_means_the_defaults(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    assert load_settings(tmp_path / "empty.yaml") == TrainingSettings()
    assert load_run(tmp_path / "empty.yaml") == RunSettings()


def test_an_unknown_name_is_refused(tmp_path):
    (tmp_path / "typo.yaml").write_text("cohort: {speekers: 3}")
    with pytest.raises(ValidationError, match="speekers"):
        load_settings(tmp_path / "typo.yaml")


def test_late_fusion_without_its_single_modality_arms_is_refused():
    with pytest.raises(ValidationError, match="audio_only and text_only"):
        RunSettings(lineup=("late_fusion", "audio_only"))


def test_two_candidates_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="give each its own"):
        RunSettings.model_validate({"candidates": [{"name": "one"}, {"name": "one", "dropout": 0.1}]})
