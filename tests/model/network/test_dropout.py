import pytest
import torch

from model.network.dropout import Dropout, DropoutNoise
from model.network.hilbert import Hilbert
from tests.model.network.test_hilbert import batch


def noise(documents, count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (documents, count), generator=generator, dtype=torch.uint8)


def test_without_noise_nothing_is_dropped():
    x = torch.randn(2, 3)
    assert Dropout(0.5)(x, None) is x


def test_the_configured_share_is_dropped_and_the_mean_preserved():
    dropped = Dropout(0.3)(torch.ones(4, 20_000), DropoutNoise(noise(4, 20_000)))
    assert (dropped == 0).float().mean() == pytest.approx(77 / 256, abs=0.01)
    assert dropped.mean() == pytest.approx(1.0, abs=0.01)
    assert dropped[dropped > 0].unique().tolist() == pytest.approx([256 / (256 - 77)])


def test_the_dropout_noise_of_a_document_does_not_depend_on_its_batch():
    x, drawn = torch.ones(3, 50), noise(3, 50)
    together = Dropout(0.5)(x, DropoutNoise(drawn))
    assert torch.equal(together[1:2], Dropout(0.5)(x[1:2], DropoutNoise(drawn[1:2])))


def test_layers_consume_the_bytes_in_order():
    given = DropoutNoise(noise(1, 10))
    first, second = given.take(torch.Size([1, 4])), given.take(torch.Size([1, 2, 3]))
    assert not torch.equal(first[0, :4], second.flatten()[:4])
    assert given.left == 0
    with pytest.raises(ValueError, match="too few random bytes"):
        given.take(torch.Size([1, 1]))


@pytest.mark.parametrize(("audio", "text"), [(6, 5), (1, 1), (3, 9)])
def test_the_network_counts_the_bytes_it_takes(audio, text):
    network = Hilbert(audio_dim=24, text_dim=16, outcomes={"spectrum": 4}, width=32, experts=3, dropout=0.3)
    given = DropoutNoise(noise(3, network.count_noise(audio, text)))
    network(batch(audio=audio, text=text), given)
    assert given.left == 0


def test_a_training_pass_differs_from_the_network_at_rest():
    network = Hilbert(audio_dim=24, text_dim=16, outcomes={"spectrum": 4}, width=32, dropout=0.3)
    given = batch()
    drawn = noise(3, network.count_noise(6, 5))
    trained = network(given, DropoutNoise(drawn)).logits["spectrum"]
    assert torch.equal(trained, network(given, DropoutNoise(drawn)).logits["spectrum"])
    assert not torch.allclose(trained, network(given).logits["spectrum"])
