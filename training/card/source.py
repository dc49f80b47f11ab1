"""The authored part of a model card, in the fields of CHAI's Applied Model Card (mc.chai.org, schema v0.2).

`card.yaml` has CHAI's own names. What can be derived is not in it: name, version and date come from the manifest,
every number from the evaluation, by a JSON pointer.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from training.card.numbers import CardError


class CardFields(BaseModel):
    """A group of fields; texts are Markdown and may name numbers as `{{ /pointer | .3f }}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_pascal)


class BasicInfo(CardFields):
    """Who answers for the model."""

    model_developer: str
    developer_contact: str


class ReleaseInfo(CardFields):
    """How far it has come."""

    release_stage: str
    global_availability: str
    regulatory_approval: str


class ModelSummary(CardFields):
    """What it is."""

    summary: str
    keywords: tuple[str, ...] = ()


class UsesAndDirections(CardFields):
    """What it is for, and what not."""

    intended_use_and_workflow: str
    primary_intended_users: str
    how_to_use: str
    targeted_patient_population: str
    cautioned_out_of_scope_settings: str


class Warnings(CardFields):
    """What can go wrong."""

    known_risks_and_limitations: str
    known_biases_or_ethical_considerations: str
    clinical_risk_level: str


class SystemFacts(CardFields):
    """How it was made and is kept."""

    outcomes_and_outputs: str
    model_type: str
    foundation_models: str
    input_data_source: str
    output_and_input_data_types: str
    development_data_characterization: str
    bias_mitigation_approaches: str
    ongoing_maintenance: str
    security: str
    transparency: str


class TransparencyInformation(CardFields):
    """Who paid for it and who was asked."""

    funding_source: str
    third_party_information: str
    stakeholders_consulted: str


class TrustIngredients(CardFields):
    """What trust in it can stand on."""

    ai_system_facts: SystemFacts = Field(alias="AISystemFacts")
    transparency_information: TransparencyInformation


class MetricSource(CardFields):
    """One number of the evaluation: a label, and where in metrics.json it stands (RFC 6901)."""

    label: str
    pointer: str
    low: str | None = Field(default=None, description="pointer to the lower end of its interval")
    high: str | None = Field(default=None, description="pointer to the upper end of its interval")
    type: str | None = Field(default=None, description="metric id of the model-index; without one it is not in there")
    form: str = Field(default=".3f", description="format of the number in texts")


class KeyMetric(CardFields):
    """One of CHAI's three questions to an evaluation."""

    metric_goal: str
    results: tuple[MetricSource, ...]
    interpretation: str
    test_type: str
    testing_data_description: str
    validation_process_and_justification: str


class KeyMetrics(CardFields):
    """What was measured."""

    usefulness_usability_efficacy: KeyMetric = Field(title="Usefulness, usability, efficacy")
    fairness_equity: KeyMetric = Field(title="Fairness, equity")
    safety_reliability: KeyMetric = Field(title="Safety, reliability")


class Resources(CardFields):
    """Where more can be read."""

    evaluation_references: str
    clinical_trial: str
    peer_reviewed_publications: str
    reimbursement_status: str
    patient_consent_or_disclosure: str


class HuggingFace(CardFields):
    """What the front matter of README.md says beyond the numbers."""

    license: str
    language: tuple[str, ...]
    tags: tuple[str, ...] = ()
    task_type: str = "audio-classification"
    dataset_name: str
    dataset_type: str


class CardSource(CardFields):
    """`card.yaml`."""

    basic_info: BasicInfo
    release_info: ReleaseInfo
    model_summary: ModelSummary
    uses_and_directions: UsesAndDirections
    warnings: Warnings
    trust_ingredients: TrustIngredients
    key_metrics: KeyMetrics
    resources: Resources
    bibliography: str
    hugging_face: HuggingFace


def read_source(file: Path) -> CardSource:
    """Read `card.yaml`; raises CardError naming the fields that are missing, unknown or malformed."""
    try:
        return CardSource.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CardError(f"{file.name} is no readable YAML file") from error
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) or "the file" for problem in error.errors()})
        raise CardError(f"{file.name} is not a card; look at: {', '.join(fields)}") from error
