import pytest
import torch
from torch import nn

from model.export.architectures.convolution import convolve, normalised_convolution


@pytest.mark.parametrize(("kernel", "stride", "margin", "groups"), [(3, 2, 0, 1), (3, 1, 1, 1), (8, 1, 4, 2)])
def test_a_convolution_of_height_1_equals_one_over_time(kernel: int, stride: int, margin: int, groups: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(4, 6, kernel, stride=stride, padding=margin, groups=groups)
    rows = torch.randn(2, 4, 31)
    torch.testing.assert_close(convolve(rows, conv), conv(rows))


def test_the_folded_group_norm_is_the_norm_over_valid_frames() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv1d(1, 8, 10, stride=5, bias=False), nn.GroupNorm(8, 8)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.uniform_(-1.0, 1.0)
    waveform, samples = torch.randn(2, 1, 400) + 0.3, torch.tensor([400, 260])
    valid = (samples - 10) // 5 + 1
    found = normalised_convolution(waveform, conv, norm, valid)
    for row, (length, frames) in enumerate(zip(samples, valid, strict=True)):
        alone = norm(conv(waveform[row : row + 1, :, :length]))
        torch.testing.assert_close(found[row, :, :frames], alone[0], rtol=1e-4, atol=1e-5)


def test_a_constant_waveform_has_the_norms_bias() -> None:
    conv, norm = nn.Conv1d(1, 4, 10, stride=5, bias=False), nn.GroupNorm(4, 4)
    found = normalised_convolution(torch.full((1, 1, 100), 0.25), conv, norm, torch.tensor([19]))
    torch.testing.assert_close(found, torch.zeros(1, 4, 19), atol=1e-3, rtol=0)
