import pytest
import torch

from model.network.batch import DocumentBatch
from model.network.hilbert import Hilbert

AUDIO, TEXT = 24, 16


@pytest.fixture(scope="module")
def network() -> Hilbert:
    torch.manual_seed(0)
    network = Hilbert(audio_dim=AUDIO, text_dim=TEXT, outcomes={"spectrum": 4, "sex": 2}, width=32, dropout=0.3)
    return network.eval()


def batch(documents: int = 3, audio: int = 6, text: int = 5, seed: int = 1) -> DocumentBatch:
    generator = torch.Generator().manual_seed(seed)
    return DocumentBatch(
        audio_features=torch.randn(documents, audio, AUDIO, generator=generator),
        text_features=torch.randn(documents, text, TEXT, generator=generator),
        audio_mask=torch.ones(documents, audio, dtype=torch.bool),
        text_mask=torch.ones(documents, text, dtype=torch.bool),
        audio_times=torch.rand(documents, audio, generator=generator) * 600,
        text_times=torch.rand(documents, text, generator=generator) * 600,
        audio_present=torch.ones(documents, dtype=torch.bool),
        text_present=torch.ones(documents, dtype=torch.bool),
    )


def changed(given: DocumentBatch, **tensors: torch.Tensor) -> DocumentBatch:
    fields = {name: getattr(given, name) for name in DocumentBatch.__dataclass_fields__}
    return DocumentBatch(**(fields | tensors))


def rows(given: DocumentBatch, order: list[int]) -> DocumentBatch:
    return DocumentBatch(**{name: getattr(given, name)[order] for name in DocumentBatch.__dataclass_fields__})


def spectrum(network: Hilbert, given: DocumentBatch) -> torch.Tensor:
    with torch.no_grad():
        return network(given).logits["spectrum"]


def test_there_is_one_logit_for_each_outcome_of_each_task(network: Hilbert) -> None:
    output = network(batch())
    assert output.logits["spectrum"].shape == (3, 4)
    assert output.logits["sex"].shape == (3, 2)
    assert output.audio.shape == output.text.shape == output.joint.shape == (3, 32)
    assert output.router_logits.shape == (3, 4)


def test_values_at_masked_positions_never_change_the_output(network: Hilbert) -> None:
    given = batch()
    mask = given.audio_mask.clone()
    mask[:, 4:] = False
    clean = changed(given, audio_mask=mask)
    for stray in (1e6, float("nan"), float("inf")):
        features, times = given.audio_features.clone(), given.audio_times.clone()
        features[:, 4:], times[:, 4:] = stray, stray
        dirty = changed(clean, audio_features=features, audio_times=times)
        assert torch.equal(spectrum(network, dirty), spectrum(network, clean))


def test_padding_with_masked_segments_changes_nothing(network: Hilbert) -> None:
    given = batch()
    padded = changed(
        given,
        audio_features=torch.cat([given.audio_features, torch.randn(3, 4, AUDIO)], dim=1),
        audio_times=torch.cat([given.audio_times, torch.zeros(3, 4)], dim=1),
        audio_mask=torch.cat([given.audio_mask, torch.zeros(3, 4, dtype=torch.bool)], dim=1),
    )
    torch.testing.assert_close(spectrum(network, padded), spectrum(network, given), atol=1e-6, rtol=0)


def test_batch_order_and_batch_mates_never_change_a_document(network: Hilbert) -> None:
    given = batch(documents=5)
    together = spectrum(network, given)
    torch.testing.assert_close(
        spectrum(network, rows(given, [4, 2, 0, 1, 3])), together[[4, 2, 0, 1, 3]], atol=1e-6, rtol=0
    )
    for document in range(5):
        alone = spectrum(network, rows(given, [document]))
        torch.testing.assert_close(alone[0], together[document], atol=1e-6, rtol=0)


def test_order_comes_from_the_clock_and_not_from_the_row(network: Hilbert) -> None:
    given = batch()
    order = [3, 0, 5, 1, 4, 2]
    shuffled = changed(given, audio_features=given.audio_features[:, order], audio_times=given.audio_times[:, order])
    torch.testing.assert_close(spectrum(network, shuffled), spectrum(network, given), atol=1e-6, rtol=0)
    later = changed(given, audio_times=given.audio_times + 300)
    assert not torch.allclose(spectrum(network, later), spectrum(network, given), atol=1e-4)


@pytest.mark.parametrize("present", [(True, False), (False, True), (False, False)])
def test_a_missing_modality_stays_finite_and_its_values_are_never_read(
    network: Hilbert, present: tuple[bool, bool]
) -> None:
    given = batch()
    audio, text = (torch.full((3,), flag) for flag in present)
    missing = changed(given, audio_present=audio, text_present=text)
    logits = spectrum(network, missing)
    assert torch.isfinite(logits).all()
    stray = changed(
        missing,
        audio_features=given.audio_features if present[0] else given.audio_features * 1e4,
        text_features=given.text_features if present[1] else given.text_features * 1e4,
    )
    assert torch.equal(spectrum(network, stray), logits)


def test_absent_by_flag_and_absent_by_mask_are_the_same(network: Hilbert) -> None:
    given = batch()
    by_flag = changed(given, text_present=torch.zeros(3, dtype=torch.bool))
    by_mask = changed(given, text_mask=torch.zeros_like(given.text_mask))
    assert torch.equal(spectrum(network, by_flag), spectrum(network, by_mask))


def test_with_nothing_present_every_document_is_alike(network: Hilbert) -> None:
    nothing = changed(
        batch(),
        audio_present=torch.zeros(3, dtype=torch.bool),
        text_present=torch.zeros(3, dtype=torch.bool),
    )
    logits = spectrum(network, nothing)
    torch.testing.assert_close(logits, logits[:1].expand(3, -1))


def test_one_segment_is_enough(network: Hilbert) -> None:
    assert torch.isfinite(spectrum(network, batch(audio=1, text=1))).all()


def test_documents_come_from_their_own_stream(network: Hilbert) -> None:
    given = batch()
    other_text = changed(given, text_features=given.text_features + 1)
    with torch.no_grad():
        before, after = network(given), network(other_text)
    assert torch.equal(before.audio, after.audio)
    assert not torch.allclose(before.joint, after.joint)


def test_crossed_documents_see_the_other_stream() -> None:
    torch.manual_seed(0)
    crossed = Hilbert(audio_dim=AUDIO, text_dim=TEXT, outcomes={"spectrum": 4}, width=32, doc_source="crossed").eval()
    given = batch()
    with torch.no_grad():
        before = crossed(given).audio
        after = crossed(changed(given, text_features=given.text_features + 1)).audio
    assert not torch.allclose(before, after)


def test_the_null_tokens_learn_from_dropped_modalities(network: Hilbert) -> None:
    dropped = changed(batch(), audio_present=torch.zeros(3, dtype=torch.bool))
    network.zero_grad()
    network(dropped).logits["spectrum"].square().sum().backward()
    assert network.null_audio.grad is not None
    assert network.null_audio.grad.abs().sum() > 0
    projection = network.project_audio.linear.weight.grad
    assert projection is None or projection.abs().sum() == 0


def test_features_are_standardised_by_the_training_statistics() -> None:
    torch.manual_seed(0)
    network = Hilbert(audio_dim=AUDIO, text_dim=TEXT, outcomes={"spectrum": 4}, width=32).eval()
    given = batch()
    plain = spectrum(network, given)
    mean, std = torch.full((AUDIO,), 3.0), torch.full((AUDIO,), 2.0)
    network.standardise_by(audio_mean=mean, audio_std=std, text_mean=torch.zeros(TEXT), text_std=torch.ones(TEXT))
    scaled = changed(given, audio_features=given.audio_features * 2 + 3)
    torch.testing.assert_close(spectrum(network, scaled), plain, atol=1e-5, rtol=0)


def test_a_constant_feature_is_not_divided_by_its_zero_spread() -> None:
    network = Hilbert(audio_dim=AUDIO, text_dim=TEXT, outcomes={"spectrum": 4}, width=32).eval()
    zero = torch.zeros(AUDIO)
    network.standardise_by(audio_mean=zero, audio_std=zero, text_mean=torch.zeros(TEXT), text_std=torch.ones(TEXT))
    assert torch.isfinite(spectrum(network, batch())).all()
