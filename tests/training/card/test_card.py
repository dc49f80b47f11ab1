import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from model.bundle.manifest import Manifest, Task
from tests.training.card.plain import plain_card
from training.card.card import check_bundle_card, check_card, read_card, read_metrics, render_card, write_card
from training.card.source import read_source
from training.errors import CardError

ROOT = Path(__file__).parents[3]
AUROC, LOW, HIGH = (f"/arms/0/macro_auroc/{name}" for name in ("value", "low", "high"))
METRICS: dict[str, Any] = {
    "arms": [{"name": "full", "macro_auroc": {"value": 0.886_49, "low": 0.84, "high": 0.93}}],
    "speakers": 150,
    "sparse": None,
}


@pytest.fixture(scope="module")
def authored():
    source = plain_card(
        Results=[
            {"Label": "Macro AUROC", "Pointer": AUROC, "Low": LOW, "High": HIGH, "Type": "roc_auc"},
            {"Label": "Rare outcome", "Pointer": "/sparse", "Type": "roc_auc"},
        ],
        Interpretation=f"Macro AUROC {{{{ {AUROC} | .2f }}}} in {{{{ /speakers }}}} speakers.",
    )
    source["KeyMetrics"]["SafetyReliability"]["Interpretation"] = f'<span data-metric="{AUROC}">88.6 %</span> is typed.'
    return source


@pytest.fixture
def folder(authored, small_bundle, tmp_path):
    """A bundle in the making, with an evaluation and a card that is already written."""
    for name in ("speech", "text"):
        (tmp_path / name).mkdir()
        shutil.copyfile(small_bundle / name / "encoder.json", tmp_path / name / "encoder.json")
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(authored))
    (tmp_path / "evaluation.json").write_text(json.dumps(METRICS))
    manifest = Manifest(
        name="small",
        version="3",
        released="2026-11-24",
        demonstration=True,
        tasks=(Task(name="spectrum", outcomes=("none", "mild")),),
        encoders={},
        files={},
    )
    (tmp_path / "manifest.json").write_text(manifest.model_dump_json())
    write_card(tmp_path, render_card(tmp_path, manifest))
    return tmp_path


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_front_matter_is_the_hub_s_with_a_model_index(folder):
    data: Any = ModelCard((folder / "README.md").read_text()).data
    assert (data.license, data.language) == ("apache-2.0", ["en"])
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value, result.metric_name) == ("roc_auc", 0.886_49, "Macro AUROC")


def test_the_text_has_every_authored_field_and_the_numbers_with_their_intervals(folder, authored):
    readme = (folder / "README.md").read_text()
    assert "### Cautioned out of scope settings" in readme
    assert "AI system facts" in readme
    assert authored["Warnings"]["KnownRisksAndLimitations"].split(". ")[0] in readme
    assert f'| Macro AUROC | <span data-metric="{AUROC}">0.886</span> (<span data-metric="{LOW}">0.840</span>' in readme
    assert "undefined" in readme


def test_the_card_for_programs_has_chai_s_fields(folder):
    card = json.loads((folder / "card.json").read_text())["AppliedModelCard"]
    assert card["BasicInfo"]["ModelName"] == "small"
    assert (card["ReleaseInfo"]["ReleaseVersion"], card["ReleaseInfo"]["ReleaseDate"]) == ("3", "2026-11-24")
    assert set(card["TrustIngredients"]) == {"AISystemFacts", "TransparencyInformation"}
    first, second = card["KeyMetrics"]["UsefulnessUsabilityEfficacy"]["Results"]
    assert json.loads(first["ValueJson"]) == {"kind": "single", "value": 0.886_49, "low": 0.84, "high": 0.93}
    assert json.loads(second["ValueJson"])["value"] is None
    assert card["KeyMetrics"]["SafetyReliability"]["Interpretation"] == "88.6 % is typed."


def test_a_card_agrees_with_the_evaluation_it_was_made_from(folder):
    assert check_bundle_card(folder) == 10


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", ">0.886<", ">0.921<"),
        ("README.md", "value: 0.88649", "value: 0.921"),
        ("card.json", '\\"value\\": 0.88649', '\\"value\\": 0.921'),
        ("evaluation.json", "0.88649", "0.921"),
    ],
    ids=["table", "model-index", "card.json", "evaluation"],
)
def test_an_edited_number_fails_the_build(folder, name, old, new):
    edit(folder / name, old, new)
    with pytest.raises(CardError, match=r"/arms/0/macro_auroc/value: the card says .*, the evaluation ") as refusal:
        check_bundle_card(folder)
    assert "0.921" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", f'<span data-metric="{AUROC}">0.886</span> (', "0.999 ("),
        ("README.md", "No person's recording", "Every person's recording"),
        ("card.json", "Not assigned; not for clinical use.", "Low"),
        ("card.yaml", "The HILBERT project", "Somebody else"),
        ("manifest.json", '"version":"3"', '"version":"4"'),
    ],
)
def test_a_card_that_its_source_does_not_give_fails_the_build(folder, name, old, new):
    edit(folder / name, old, new)
    with pytest.raises(CardError, match=r"is not what card\.yaml, the manifest and the evaluation give"):
        check_bundle_card(folder)


def test_a_typed_number_that_is_wrong_cannot_be_released(folder, authored):
    edit(folder / "card.yaml", "88.6 %", "91.2 %")
    with pytest.raises(CardError, match=r"the card says 91.2 %, the evaluation 0.88649"):
        render_card(folder, Manifest.model_validate_json((folder / "manifest.json").read_bytes()))


def test_a_model_index_without_pointers_is_refused(folder):
    edit(folder / "README.md", f"pointer: {AUROC}", "note: measured")
    with pytest.raises(CardError, match="without a pointer"):
        check_card(read_card(folder), METRICS)


def test_without_an_evaluation_the_card_says_so(folder):
    (folder / "evaluation.json").unlink()
    write_card(folder, render_card(folder, Manifest.model_validate_json((folder / "manifest.json").read_bytes())))
    readme = (folder / "README.md").read_text()
    assert "| evaluation | not evaluated |" in readme
    assert "model-index" not in readme
    assert (
        json.loads((folder / "card.json").read_text())["AppliedModelCard"]["KeyMetrics"]["FairnessEquity"]["Results"]
        == []
    )
    assert check_bundle_card(folder) == 0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "the file"),
        ("BasicInfo: {ModelDeveloper: x}", "BasicInfo.DeveloperContact"),
        ("Extra: 1", "Extra"),
        ("a: [", "readable"),
    ],
)
def test_a_source_that_is_no_card_is_refused_with_its_fields(tmp_path, content, named):
    (tmp_path / "card.yaml").write_text(content)
    with pytest.raises(CardError, match=named):
        read_source(tmp_path / "card.yaml")


def test_an_evaluation_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(CardError, match=r"metrics\.json"):
        read_metrics(tmp_path / "metrics.json")


def test_the_card_of_the_shipped_bundle_equals_the_rendered_source():
    check_bundle_card(ROOT / "examples" / "bundle")
