import torch

from model.network.projection_heads import ProjectionHead, ProjectionHeads


def test_a_head_gives_unit_vectors_of_its_own_width() -> None:
    projected = ProjectionHead(width=6, out=4)(torch.randn(5, 6))
    assert projected.shape == (5, 4)
    torch.testing.assert_close(projected.norm(dim=1), torch.ones(5))


def test_a_frozen_head_has_equal_output_and_no_gradient() -> None:
    torch.manual_seed(0)
    head, embedding = ProjectionHead(width=6, out=4), torch.randn(5, 6, requires_grad=True)
    torch.testing.assert_close(head(embedding, frozen=True), head(embedding))
    head(embedding, frozen=True)[:, 0].sum().backward()
    assert all(weight.grad is None for weight in head.parameters())
    assert embedding.grad is not None
    assert embedding.grad.abs().sum() > 0


def test_each_embedding_has_a_head_of_its_own() -> None:
    heads = ProjectionHeads(width=6, out=4)
    assert sorted(name for name, _ in heads.named_children()) == ["audio", "joint", "text"]
    assert not torch.equal(heads.audio.out.weight, heads.text.out.weight)
