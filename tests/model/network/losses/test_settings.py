import pytest
from pydantic import ValidationError

from model.network.losses.settings import ObjectiveSettings, TermSwitches, TermWeights


def test_the_weights_are_those_of_the_method() -> None:
    weights = TermWeights()
    assert (weights.contrastive, weights.cka, weights.information_balance) == (0.5, 0.1, 0.05)
    assert (weights.router_load, weights.router_z) == (0.01, 0.001)


def test_an_objective_with_every_term_off_is_refused() -> None:
    with pytest.raises(ValidationError, match="switch at least one on"):
        TermSwitches.model_validate(dict.fromkeys(TermSwitches.model_fields, False))


@pytest.mark.parametrize("estimator", ["infonce", "abs"])
@pytest.mark.parametrize("off", ["audio_to_joint", "text_to_joint"])
def test_a_balance_read_from_untrained_heads_is_refused(estimator: str, off: str) -> None:
    with pytest.raises(ValidationError, match="choose hsic"):
        ObjectiveSettings.model_validate({"terms": {off: False}, "balance_estimator": estimator})


def test_without_the_contrast_the_balance_may_be_read_by_hsic() -> None:
    terms = {"audio_to_joint": False, "text_to_joint": False}
    assert ObjectiveSettings.model_validate({"terms": terms, "balance_estimator": "hsic"}).terms.information_balance


@pytest.mark.parametrize("wrong", [{"logit_adjustment": 0.5}, {"weights": {"cka": -1}}, {"cka_estimator": "best"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ObjectiveSettings.model_validate(wrong)
