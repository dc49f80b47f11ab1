import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.network.batch import DocumentBatch
from model.network.hilbert import Hilbert, HilbertOutput
from model.network.losses.cka import cka
from model.network.losses.objective import Objective, Supervision, Terms, supervise
from model.network.losses.settings import ObjectiveSettings, TermSwitches

WIDTH = 8
PRIORS = {"spectrum": (0.7, 0.2, 0.1), "role": (0.5, 0.5)}
NAMES = set(TermSwitches.model_fields) - {"task"} | set(PRIORS)


def objective(**settings: object) -> Objective:
    torch.manual_seed(7)
    return Objective(width=WIDTH, priors=PRIORS, settings=ObjectiveSettings.model_validate(settings))


def embeddings(rows: int, seed: int = 0) -> HilbertOutput:
    generator = torch.Generator().manual_seed(seed)
    audio, text, joint = (torch.randn(rows, WIDTH, generator=generator).requires_grad_() for _ in range(3))
    logits = {task: torch.randn(rows, len(prior), generator=generator) for task, prior in PRIORS.items()}
    router = torch.randn(rows, 4, generator=generator).requires_grad_()
    for values in logits.values():
        values.requires_grad_()
    return HilbertOutput(audio=audio, text=text, joint=joint, logits=logits, router_logits=router)


def leaves(output: HilbertOutput) -> list[Tensor]:
    return [output.audio, output.text, output.joint, output.router_logits, *output.logits.values()]


def select(output: HilbertOutput, rows: Sequence[int]) -> HilbertOutput:
    chosen = list(rows)
    return HilbertOutput(
        audio=output.audio[chosen],
        text=output.text[chosen],
        joint=output.joint[chosen],
        logits={task: values[chosen] for task, values in output.logits.items()},
        router_logits=output.router_logits[chosen],
    )


def known(rows: int, audio: list[bool] | None = None, text: list[bool] | None = None) -> Supervision:
    return Supervision(
        audio_present=torch.tensor([True] * rows if audio is None else audio),
        text_present=torch.tensor([True] * rows if text is None else text),
        person=torch.arange(rows),
        family=torch.arange(rows) // 2,
        labels={"spectrum": torch.arange(rows) % 4 - 1, "role": torch.arange(rows) % 2},
    )


def gradients(terms: Terms, output: HilbertOutput) -> list[Tensor]:
    found = torch.autograd.grad(terms.total, leaves(output), allow_unused=True)
    return [torch.zeros_like(leaf) if one is None else one for one, leaf in zip(found, leaves(output), strict=True)]


def as_numbers(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in values.items()}


def test_the_total_is_the_weighted_sum_that_the_method_writes() -> None:
    terms = objective()(embeddings(12), known(12), 0.5)
    v = as_numbers(terms.values)
    assert set(v) == NAMES
    assert v["information_balance"] >= 0
    expected = (
        (v["spectrum"] + v["role"])
        + 0.5 * (v["audio_to_joint"] + v["text_to_joint"]) / 2
        + 0.1 * v["cka"]
        + 0.05 * v["information_balance"]
        + 0.01 * v["router_load"]
        + 0.001 * v["router_z"]
    )
    assert terms.total.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("term", sorted(TermSwitches.model_fields))
def test_a_term_that_is_off_is_neither_named_nor_counted(term: str) -> None:
    output, supervision = embeddings(12), known(12)
    full = objective(balance_estimator="hsic")(output, supervision, 0.5)
    without = objective(terms={term: False}, balance_estimator="hsic")(output, supervision, 0.5)
    left_out = set(PRIORS) if term == "task" else {term}
    assert set(without.values) == NAMES - left_out
    missing = sum(objective().weight(name) * full.values[name].item() for name in left_out)
    assert full.total.item() - without.total.item() == pytest.approx(missing, abs=1e-6)


@pytest.mark.parametrize("rows", range(1, 8))
@pytest.mark.parametrize("estimator", ["infonce", "hsic", "abs"])
def test_the_smallest_batches_give_no_nan_in_value_or_gradient(rows: int, estimator: str) -> None:
    output = embeddings(rows)
    audio = [i % 3 != 1 for i in range(rows)]
    terms = objective(balance_estimator=estimator)(output, known(rows, audio=audio), 0.9)
    assert all(torch.isfinite(value) for value in terms.values.values())
    assert all(torch.isfinite(gradient).all() for gradient in gradients(terms, output))
    assert terms.values["cka"] == 0


def test_padding_rows_change_nothing_even_when_they_hold_nan() -> None:
    kept = embeddings(10)
    plain = objective()(kept, known(10), 0.5)
    wide = embeddings(13, seed=3)
    for padded, real in zip(leaves(wide), leaves(kept), strict=True):
        padded.data[:10], padded.data[10:] = real.data, torch.nan
    present = [True] * 10 + [False] * 3
    terms = objective()(wide, known(13, audio=present, text=present), 0.5)
    assert as_numbers(terms.values) == pytest.approx(as_numbers(plain.values), rel=1e-4, abs=1e-6)
    for gradient, expected in zip(gradients(terms, wide), gradients(plain, kept), strict=True):
        assert torch.isfinite(gradient).all()
        torch.testing.assert_close(gradient[:10], expected, rtol=1e-3, atol=1e-6)
        assert gradient[10:].abs().sum() == 0


def test_a_missing_modality_is_left_out_of_its_own_terms_alone() -> None:
    output = embeddings(12)
    silent = known(12, audio=[False] * 3 + [True] * 9)
    terms = objective(terms={"router_load": False, "router_z": False, "task": False})(output, silent, 0.5)
    audio, text, *_ = gradients(terms, output)
    assert audio[:3].abs().sum() == 0
    assert (audio[3:].abs().sum(dim=1) > 0).all()
    assert (text.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("term", "rows"),
    [("audio_to_joint", range(2, 14)), ("text_to_joint", range(12)), ("information_balance", range(2, 12))],
)
def test_a_pair_of_embeddings_is_compared_over_the_documents_that_have_them(term: str, rows: range) -> None:
    output = embeddings(14)
    with torch.no_grad():
        output.joint.copy_(output.text + 0.1 * output.audio)
    supervision = known(14, audio=[False] * 2 + [True] * 12, text=[True] * 12 + [False] * 2)
    built = with_one_head(objective())
    found = built(output, supervision, 0.5).values[term]
    alone = built(select(output, rows), known(len(rows)), 0.5).values[term]
    assert found > 0
    torch.testing.assert_close(found, alone)


def test_structure_is_compared_over_the_documents_that_have_the_modality() -> None:
    output, everyone = embeddings(14), torch.ones(12, dtype=torch.bool)
    supervision = known(14, audio=[False] * 2 + [True] * 12, text=[True] * 12 + [False] * 2)
    kept = cka(output.audio[2:], output.joint[2:], everyone) + cka(output.text[:12], output.joint[:12], everyone)
    torch.testing.assert_close(objective()(output, supervision, 0.5).values["cka"], 1 - kept / 2)


def test_a_cohort_without_any_text_still_trains() -> None:
    output = embeddings(12)
    terms = objective()(output, known(12, text=[False] * 12), 0.5)
    assert terms.values["text_to_joint"] == 0
    assert terms.values["information_balance"] == 0
    assert all(torch.isfinite(gradient).all() for gradient in gradients(terms, output))


def test_order_does_not_matter() -> None:
    output, supervision = embeddings(12), known(12, audio=[True] * 10 + [False] * 2)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    also = Supervision(
        audio_present=supervision.audio_present[order],
        text_present=supervision.text_present[order],
        person=supervision.person[order],
        family=supervision.family[order],
        labels={task: found[order] for task, found in supervision.labels.items()},
    )
    expected = as_numbers(objective()(output, supervision, 0.5).values)
    assert as_numbers(objective()(select(output, order.tolist()), also, 0.5).values) == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )


def test_relatives_count_as_negatives_unless_the_family_is_chosen() -> None:
    output, supervision = embeddings(12), known(12)
    by_person = objective()(output, supervision, 0.5).values["audio_to_joint"]
    by_family = objective(negatives_outside="family")(output, supervision, 0.5).values["audio_to_joint"]
    assert by_family < by_person
    unknown = replace(supervision, family=torch.full((12,), -1))
    assert objective(negatives_outside="family")(output, unknown, 0.5).values["audio_to_joint"] == by_person


@pytest.mark.parametrize("estimator", ["infonce", "hsic", "abs"])
def test_the_balance_waits_for_a_quarter_of_the_steps(estimator: str) -> None:
    output, balanced = dominated(), with_one_head(objective(balance_estimator=estimator))
    early, late = (balanced(output, known(12), at).values["information_balance"] for at in (0.24, 0.25))
    assert early == 0
    assert late > 0
    at_tensor = balanced(output, known(12), torch.tensor(0.25)).values["information_balance"]
    assert at_tensor == late


def dominated() -> HilbertOutput:
    """The joint embedding is the text's, nearly; the audio shares a little with it."""
    output = embeddings(12)
    with torch.no_grad():
        output.joint.copy_(output.text + 0.05 * output.audio)
        output.audio.add_(0.6 * output.joint)
    return output


def with_one_head(built: Objective) -> Objective:
    """All embeddings pass the same head, so that equal embeddings meet, as after training."""
    for head in (built.heads.audio, built.heads.text):
        head.load_state_dict(built.heads.joint.state_dict())
    return built


@pytest.mark.parametrize(("estimator", "spared"), [("infonce", True), ("hsic", True), ("abs", False)])
def test_the_balance_spares_the_stronger_modality(estimator: str, spared: bool) -> None:
    output, built = dominated(), with_one_head(objective(balance_estimator=estimator))
    balance = built(output, known(12), 0.5).values["information_balance"]
    assert balance > 0
    audio, text = torch.autograd.grad(balance, [output.audio, output.text], allow_unused=True)
    assert audio.abs().sum() > 0
    assert (text is None or bool(text.abs().sum() == 0)) is spared


def test_the_balance_never_trains_the_heads() -> None:
    built = objective()
    balance = with_one_head(built)(dominated(), known(12), 0.5).values["information_balance"]
    assert balance > 0
    found = torch.autograd.grad(balance, list(built.heads.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in found)


def test_the_cka_term_is_the_mean_of_what_both_modalities_lost() -> None:
    output, everyone = embeddings(12), torch.ones(12, dtype=torch.bool)
    kept = [cka(one, output.joint, everyone).item() for one in (output.audio, output.text)]
    found = objective()(output, known(12), 0.5).values["cka"].item()
    assert found == pytest.approx(1 - sum(kept) / 2, abs=1e-6)


def test_the_whole_objective_agrees_with_finite_differences() -> None:
    built = objective(logit_adjustment=1).double()
    supervision = known(9, audio=[True] * 8 + [False])
    doubles = [leaf.detach().double().requires_grad_() for leaf in leaves(select(dominated(), range(9)))]

    def total(*given: Tensor) -> Tensor:
        audio, text, joint, router, *logits = given
        output = HilbertOutput(
            audio=audio, text=text, joint=joint, router_logits=router, logits=dict(zip(PRIORS, logits, strict=True))
        )
        # Without the balance: its stop-gradient is no derivative, on purpose.
        return built(output, supervision, 0.0).total

    assert torch.autograd.gradcheck(total, doubles, fast_mode=True)


def test_retrieval_finds_a_copy_and_guesses_between_strangers() -> None:
    built, output = with_one_head(objective()), embeddings(40)
    with torch.no_grad():
        output.joint.copy_(output.audio)
    found = built.retrieve(output, known(40))
    assert found.audio_to_joint.at_1 == 1
    assert found.audio_to_text.at_1 <= 0.2
    assert found.audio_to_text.chance.item() == pytest.approx(1 / 40)
    assert found.text_to_joint.at_1 <= 0.2


def test_a_modality_without_a_valid_segment_is_missing() -> None:
    batch = DocumentBatch(
        audio_features=torch.zeros(2, 3, 4),
        text_features=torch.zeros(2, 3, 4),
        audio_mask=torch.tensor([[True, False, False], [False, False, False]]),
        text_mask=torch.ones(2, 3, dtype=torch.bool),
        audio_times=torch.zeros(2, 3),
        text_times=torch.zeros(2, 3),
        audio_present=torch.tensor([True, True]),
        text_present=torch.tensor([True, False]),
    )
    found = supervise(batch, person=torch.arange(2), family=torch.arange(2), labels={})
    assert found.audio_present.tolist() == [True, False]
    assert found.text_present.tolist() == [True, False]


def test_a_task_called_like_a_term_is_refused() -> None:
    with pytest.raises(ValueError, match="rename the task cka"):
        Objective(width=WIDTH, priors={"cka": (0.5, 0.5)}, settings=ObjectiveSettings())


def test_training_for_tasks_without_naming_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one task"):
        Objective(width=WIDTH, priors={}, settings=ObjectiveSettings())


def test_contrast_alone_needs_no_task() -> None:
    settings = ObjectiveSettings.model_validate({"terms": {"task": False}})
    terms = Objective(width=WIDTH, priors={}, settings=settings)(embeddings(9), known(9), 0.0)
    assert terms.total > 0


def test_descent_on_the_objective_lowers_every_trained_term() -> None:
    torch.manual_seed(0)
    network = Hilbert(audio_dim=6, text_dim=5, outcomes={"spectrum": 3, "role": 2}, width=WIDTH, heads=2, dropout=0.0)
    built = objective()
    batch = DocumentBatch(
        audio_features=torch.randn(12, 3, 6),
        text_features=torch.randn(12, 2, 5),
        audio_mask=torch.ones(12, 3, dtype=torch.bool),
        text_mask=torch.ones(12, 2, dtype=torch.bool),
        audio_times=torch.rand(12, 3),
        text_times=torch.rand(12, 2),
        audio_present=torch.ones(12, dtype=torch.bool),
        text_present=torch.ones(12, dtype=torch.bool),
    )
    optimiser = torch.optim.Adam([*network.parameters(), *built.parameters()], lr=3e-3)
    before = copy.deepcopy(as_numbers(built(network(batch), known(12), 0.5).values))
    for _ in range(15):
        optimiser.zero_grad()
        built(network(batch), known(12), 0.5).total.backward()
        optimiser.step()
    after = as_numbers(built(network(batch), known(12), 0.5).values)
    for name in ("spectrum", "role", "audio_to_joint", "text_to_joint", "cka"):
        assert after[name] < before[name]
