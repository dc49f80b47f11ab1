"""Many folds as one: what `torch.func.vmap` computes over stacked objectives is what a loop computes."""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from model.network.batch import DocumentBatch
from model.network.hilbert import Hilbert, HilbertOutput
from model.network.losses.objective import Objective, Supervision, supervise
from model.network.losses.settings import ObjectiveSettings

FOLDS, ROWS, WIDTH = 3, 14, 8


def objectives(settings: ObjectiveSettings) -> list[Objective]:
    """Each fold has outcome shares, heads and a temperature of its own; one is above the cap."""
    built = []
    for fold in range(FOLDS):
        torch.manual_seed(fold)
        share = 0.6 + 0.1 * fold
        one = Objective(width=WIDTH, priors={"spectrum": (share, 1 - share)}, settings=settings)
        with torch.no_grad():
            one.temperature.theta.add_(0.5 * fold)
        built.append(one)
    return built


def facts() -> dict[str, Tensor]:
    """Stacked over folds: all present; some missing; fewer than eight documents beside padding."""
    audio, text = torch.ones(FOLDS, ROWS, dtype=torch.bool), torch.ones(FOLDS, ROWS, dtype=torch.bool)
    audio[1, 3:6], text[1, 10:] = False, False
    audio[2, 6:], text[2, 6:] = False, False
    labels = torch.randint(-1, 2, (FOLDS, ROWS), generator=torch.Generator().manual_seed(1))
    labels[2] = -1
    person = torch.randint(0, 10, (FOLDS, ROWS), generator=torch.Generator().manual_seed(2))
    return {"audio_present": audio, "text_present": text, "labels": labels, "person": person}


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"audio": WIDTH, "text": WIDTH, "joint": WIDTH, "router_logits": 4, "logits": 2}
    return {name: torch.randn(FOLDS, ROWS, width, generator=generator) for name, width in shapes.items()}


def fold_terms(
    objective: Objective, state: dict[str, Tensor], given: dict[str, Tensor], known: dict[str, Tensor], progress: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    output = HilbertOutput(
        audio=given["audio"],
        text=given["text"],
        joint=given["joint"],
        router_logits=given["router_logits"],
        logits={"spectrum": given["logits"]},
    )
    supervision = Supervision(
        audio_present=known["audio_present"],
        text_present=known["text_present"],
        person=known["person"],
        family=known["person"],
        labels={"spectrum": known["labels"]},
    )
    terms = functional_call(objective, state, (output, supervision, progress))
    return terms.total, dict(terms.values)


@pytest.mark.parametrize("estimator", ["infonce", "hsic", "abs"])
@pytest.mark.parametrize("cka", ["unbiased", "biased"])
def test_stacked_terms_and_gradients_equal_the_loop(estimator: str, cka: str) -> None:
    settings = ObjectiveSettings.model_validate(
        {"balance_estimator": estimator, "cka_estimator": cka, "logit_adjustment": 1}
    )
    built, known, given, progress = objectives(settings), facts(), tensors(), torch.tensor([0.1, 0.5, 0.9])
    parameters, buffers = stack_module_state(built)

    def step(learned, kept, outputs, about, at):
        return fold_terms(built[0], learned | kept, outputs, about, at)

    differentiate = grad_and_value(step, argnums=(0, 2), has_aux=True)
    gradients, (totals, values) = vmap(differentiate)(parameters, buffers, given, known, progress)
    for fold in range(FOLDS):
        one = {name: value[fold].detach() for name, value in parameters.items()}
        kept, outputs, about = ({name: value[fold] for name, value in part.items()} for part in (buffers, given, known))
        expected, (total, terms) = differentiate(one, kept, outputs, about, progress[fold])
        torch.testing.assert_close(totals[fold], total, rtol=1e-5, atol=1e-6)
        for name, value in terms.items():
            torch.testing.assert_close(values[name][fold], value, rtol=1e-5, atol=1e-6)
        for found, wanted in zip(gradients, expected, strict=True):
            for name, gradient in wanted.items():
                assert torch.isfinite(gradient).all()
                torch.testing.assert_close(found[name][fold], gradient, rtol=1e-4, atol=1e-6)
    assert values["information_balance"][0] == 0
    assert values["cka"][2] == 0


def test_networks_and_objectives_of_several_folds_take_their_gradients_at_once() -> None:
    built = objectives(ObjectiveSettings())
    networks = []
    for fold in range(FOLDS):
        torch.manual_seed(fold)
        networks.append(Hilbert(audio_dim=6, text_dim=5, outcomes={"spectrum": 2}, width=WIDTH, heads=2, dropout=0.0))
    generator, known = torch.Generator().manual_seed(0), facts()
    features = {
        "audio_features": torch.randn(FOLDS, ROWS, 3, 6, generator=generator),
        "text_features": torch.randn(FOLDS, ROWS, 2, 5, generator=generator),
        "audio_mask": torch.ones(FOLDS, ROWS, 3, dtype=torch.bool),
        "text_mask": torch.ones(FOLDS, ROWS, 2, dtype=torch.bool),
        "audio_times": torch.rand(FOLDS, ROWS, 3, generator=generator),
        "text_times": torch.rand(FOLDS, ROWS, 2, generator=generator),
        "audio_present": known["audio_present"],
        "text_present": known["text_present"],
    }

    def loss(network, objective, batch, person, labels):
        documents = DocumentBatch(**batch)
        supervision = supervise(documents, person=person, family=person, labels={"spectrum": labels})
        output = functional_call(networks[0], network, (documents,))
        return functional_call(built[0], objective, (output, supervision, 0.5)).total

    stacks = stack_module_state(networks), stack_module_state(built)
    network, objective = (parameters | buffers for parameters, buffers in stacks)
    arguments = (features, known["person"], known["labels"])
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernel of the CPU knows no stacks
        gradients, totals = vmap(grad_and_value(loss))(network, objective, *arguments)
    for fold in range(FOLDS):
        documents = DocumentBatch(**{name: value[fold] for name, value in features.items()})
        person, labels = known["person"][fold], {"spectrum": known["labels"][fold]}
        supervision = supervise(documents, person=person, family=person, labels=labels)
        expected = built[fold](networks[fold](documents), supervision, 0.5).total
        torch.testing.assert_close(totals[fold], expected, rtol=1e-5, atol=1e-6)
        (wanted,) = torch.autograd.grad(expected, networks[fold].null_audio)
        torch.testing.assert_close(gradients["null_audio"][fold], wanted, rtol=1e-3, atol=1e-6)
