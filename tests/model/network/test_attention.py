import torch

from model.network.attention import CrossAttention, GatedPooling


@torch.no_grad()
def test_pooling_follows_its_formula_worked_by_a_loop() -> None:
    torch.manual_seed(0)
    pooling = GatedPooling(width=8)
    stream, mask = torch.randn(2, 4, 8), torch.tensor([[True, True, True, True], [True, False, True, False]])
    expected = torch.zeros(2, 8)
    for document in range(2):
        energies = {
            s: float(
                pooling.score(
                    torch.tanh(pooling.content(stream[document, s])) * torch.sigmoid(pooling.gate(stream[document, s]))
                )
            )
            for s in range(4)
            if mask[document, s]
        }
        total = sum(torch.tensor(e).exp() for e in energies.values())
        for s, energy in energies.items():
            expected[document] += torch.tensor(energy).exp() / total * stream[document, s]
    torch.testing.assert_close(pooling(stream, mask), expected, atol=1e-6, rtol=1e-5)


def test_one_valid_segment_is_its_own_pool() -> None:
    pooling = GatedPooling(width=8)
    stream = torch.randn(1, 3, 8)
    torch.testing.assert_close(pooling(stream, torch.tensor([[False, True, False]])), stream[:, 1])


def test_with_nothing_else_to_see_attention_falls_on_the_null_key() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(width=8, heads=2, dropout=0.0).eval()
    stream, other, null = torch.randn(1, 3, 8), torch.randn(1, 4, 8), torch.randn(8)
    blind = attention(stream, other, torch.zeros(1, 4, dtype=torch.bool), null)
    crossed = stream + attention.out(attention.value(null))
    torch.testing.assert_close(blind, crossed + attention.feed_forward(crossed), atol=1e-6, rtol=1e-5)
