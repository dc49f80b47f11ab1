import pytest
import torch

from model.network.batch import DocumentBatch
from model.network.dropout import DropoutNoise
from tests.model.network.test_hilbert import AUDIO, TEXT, batch, changed
from training.baselines.pooled import Modality, PooledNetwork


def build(*modalities):
    torch.manual_seed(0)
    dims: dict[Modality, int] = {"audio": AUDIO, "text": TEXT}
    return PooledNetwork(dims=dims, modalities=modalities, outcomes={"spectrum": 3}, width=16, dropout=0.2).eval()


def spectrum(network, given: DocumentBatch):
    with torch.no_grad():
        return network(given).logits["spectrum"]


@pytest.mark.parametrize(("reads", "other"), [("audio", "text"), ("text", "audio")])
def test_a_single_modality_network_ignores_the_other_modality(reads, other):
    network, given = build(reads), batch()
    strange = changed(given, **{f"{other}_features": getattr(given, f"{other}_features") * 100})
    assert torch.equal(spectrum(network, given), spectrum(network, strange))
    telling = changed(given, **{f"{reads}_features": getattr(given, f"{reads}_features") * 100})
    assert not torch.allclose(spectrum(network, given), spectrum(network, telling))


def test_a_missing_modality_stays_finite():
    given = batch()
    absent = changed(given, audio_present=torch.zeros(3, dtype=torch.bool))
    assert torch.isfinite(spectrum(build("audio"), absent)).all()
    assert torch.isfinite(spectrum(build("audio", "text"), absent)).all()


def test_padding_never_changes_the_output():
    network, given = build("audio", "text"), batch()
    mask = given.audio_mask.clone()
    mask[:, 4:] = False
    features = given.audio_features.clone()
    features[:, 4:] = float("nan")
    clean = changed(given, audio_mask=mask)
    assert torch.equal(spectrum(network, clean), spectrum(network, changed(clean, audio_features=features)))


@pytest.mark.parametrize("modalities", [("audio",), ("text",), ("audio", "text")])
def test_the_network_counts_the_bytes_it_takes(modalities):
    network = build(*modalities)
    drawn = torch.zeros(3, network.count_noise(6, 5), dtype=torch.uint8)
    given = DropoutNoise(drawn)
    network(batch(), given)
    assert given.left == 0
