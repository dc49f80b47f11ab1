"""The authored part of a model card, in the fields of CHAI's Applied Model Card (mc.chai.org, schema v0.2).

`card.yaml` uses the names of CHAI. It holds no derived values: name, version and date come from the manifest, and every
number comes from the evaluation, by a JSON pointer.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from training.errors import CardError


class CardFields(BaseModel):
    """A group of fields; texts are Markdown and may name numbers as `{{ /pointer | .3f }}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_pascal)


class BasicInfo(CardFields):
    """Developer and contact."""

    model_developer: str
    developer_contact: str


class ReleaseInfo(CardFields):
    """Release stage, availability and approval."""

    release_stage: str
    global_availability: str
    regulatory_approval: str


class ModelSummary(CardFields):
    """Summary and keywords."""

    summary: str
    keywords: tuple[str, ...] = ()


class UsesAndDirections(CardFields):
    """Intended use, users and population, and settings out of scope."""

    intended_use_and_workflow: str
    primary_intended_users: str
    how_to_use: str
    targeted_patient_population: str
    cautioned_out_of_scope_settings: str


class Warnings(CardFields):
    """Risks, limitations and biases."""

    known_risks_and_limitations: str
    known_biases_or_ethical_considerations: str
    clinical_risk_level: str


class SystemFacts(CardFields):
    """Model type, data, maintenance and security."""

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
    """Funding, third parties and stakeholders."""

    funding_source: str
    third_party_information: str
    stakeholders_consulted: str


class TrustIngredients(CardFields):
    """System facts and transparency information."""

    ai_system_facts: SystemFacts = Field(alias="AISystemFacts")
    transparency_information: TransparencyInformation


class MetricSource(CardFields):
    """A number of the evaluation: a label, and its JSON pointer into metrics.json (RFC 6901)."""

    label: str
    pointer: str
    low: str | None = Field(default=None, description="pointer to the lower end of its interval")
    high: str | None = Field(default=None, description="pointer to the upper end of its interval")
    type: str | None = Field(
        default=None, description="metric id in the model-index; without an id the number is not in the index"
    )
    form: str = Field(default=".3f", description="format of the number in texts")


class KeyMetric(CardFields):
    """One of the three groups of metrics in CHAI's card."""

    metric_goal: str
    results: tuple[MetricSource, ...]
    interpretation: str
    test_type: str
    testing_data_description: str
    validation_process_and_justification: str


class KeyMetrics(CardFields):
    """The three groups of metrics."""

    usefulness_usability_efficacy: KeyMetric = Field(title="Usefulness, usability, efficacy")
    fairness_equity: KeyMetric = Field(title="Fairness, equity")
    safety_reliability: KeyMetric = Field(title="Safety, reliability")


class Resources(CardFields):
    """References and further documents."""

    evaluation_references: str
    clinical_trial: str
    peer_reviewed_publications: str
    reimbursement_status: str
    patient_consent_or_disclosure: str


class HuggingFace(CardFields):
    """The front matter of README.md, without numbers."""

    license: str
    language: tuple[str, ...]
    tags: tuple[str, ...] = ()
    task_type: str = "audio-classification"
    dataset_name: str
    dataset_type: str


class CardSource(CardFields):
    """The content of `card.yaml`."""

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
    """Read `card.yaml`; raises CardError with the names of missing, unknown or malformed fields."""
    try:
        return CardSource.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CardError(f"{file.name} is not a readable YAML file") from error
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) or "the file" for problem in error.errors()})
        raise CardError(f"{file.name} is not a card; check: {', '.join(fields)}") from error
