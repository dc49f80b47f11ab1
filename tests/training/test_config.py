from pathlib import Path

import pytest
from pydantic import ValidationError

from training.config import TrainingSettings, load_settings

CONFIGS = sorted(Path("training/configs").rglob("*.yaml"))


def test_every_config_is_found():
    assert [path.name for path in CONFIGS] == ["demo.yaml"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_loads(path):
    settings = load_settings(path)
    assert abs(sum(settings.cohort.shares.values()) - 1) < 1e-9


def test_seeds_of_training_and_measuring_differ():
    settings = load_settings(Path("training/configs/demo.yaml"))
    seeds = {settings.seed, settings.fresh_seed, settings.standins.seed, settings.standins.seed + 1, 4242}
    assert len(seeds) == 5


def test_an_empty_file_means_the_defaults(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    assert load_settings(tmp_path / "empty.yaml") == TrainingSettings()


def test_an_unknown_name_is_refused(tmp_path):
    (tmp_path / "typo.yaml").write_text("cohort: {speekers: 3}")
    with pytest.raises(ValidationError, match="speekers"):
        load_settings(tmp_path / "typo.yaml")
