import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from model.encoders.description import GRAPH, Precision, read_description
from model.errors import ParityError
from model.export.architectures.roberta import RobertaFeatures
from model.export.architectures.text import TEXT_SIGNATURE
from model.export.parity import (
    TOLERANCES,
    ParityReport,
    ProbeParity,
    measure_parity,
    read_report,
    refuse_excess,
)
from model.export.probe_material import read_material
from model.export.probes import Probe


def report(*, of_spread: float | None = None, largest: float = 1.0, precision: str = "float32", **worst: float):
    numbers = {"cosine": 1.0, "absolute": 0.0, "relative": 0.0} | worst
    probe = ProbeParity(probe="voice", segments=1, **numbers)
    return ParityReport(
        precision=precision, torch="2", runtime="1", probes=(probe,), of_spread=of_spread, largest=largest
    )


def test_an_export_keeps_its_report_beside_the_graph(encoders: Path, other_encoders: Path) -> None:
    for folder in (encoders, other_encoders):
        for name, last in (("speech", "synthetic voice"), ("text", "sentences")):
            found, description = read_report(folder / name), read_description(folder / name)
            assert found.absolute == description.parity
            assert found.precision == description.precision == "float32"
            assert len(found.probes) == 4
            assert found.probes[-1].probe == last
            assert found.of_spread is None


def roberta_features(checkpoint: Path) -> RobertaFeatures:
    return RobertaFeatures(RobertaModel.from_pretrained(checkpoint, add_pooling_layer=False)).eval()


def real_tokens() -> list[Probe]:
    torch.manual_seed(0)
    rows = torch.randint(5, 60, (3, 12)), torch.tensor([12, 7, 9])
    return [Probe(name="words", inputs=rows, real=True), Probe(name="one", inputs=(rows[0][:1], rows[1][:1]))]


def test_a_graph_of_other_weights_is_refused_for_every_precision(encoders: Path, roberta: Path) -> None:
    torch.manual_seed(1)
    config = RobertaConfig.from_pretrained(roberta)
    others = RobertaFeatures(RobertaModel(config, add_pooling_layer=False)).eval()
    for precision in ("float32", "float16", "int8"):
        graph = encoders / "text" / GRAPH
        own, other = (
            measure_parity(module, real_tokens(), TEXT_SIGNATURE, graph, precision)
            for module in (roberta_features(roberta), others)
        )
        refuse_excess(own, TOLERANCES[precision])
        with pytest.raises(ParityError, match=f"^{precision}: words: differs"):
            refuse_excess(other, TOLERANCES[precision])


def test_the_measures_are_those_worked_by_hand(encoders: Path, roberta: Path) -> None:
    module, probes = roberta_features(roberta), real_tokens()
    with torch.no_grad():
        features = module(*probes[0].inputs).numpy()
        for weights in module.model.encoder.layer[-1].output.parameters():
            weights.mul_(1.01)
        moved = module(*probes[0].inputs).numpy()
    found = measure_parity(module, probes, TEXT_SIGNATURE, encoders / "text" / GRAPH, "float32")
    away, spread = np.linalg.norm(features - moved, axis=1), moved - moved.mean(axis=0)
    assert found.probes[0].absolute == pytest.approx(np.abs(features - moved).max(), rel=1e-3)
    assert found.probes[0].relative == pytest.approx((away / np.linalg.norm(moved, axis=1)).max(), rel=1e-3)
    assert found.of_spread == pytest.approx(away.max() / np.sqrt((spread**2).sum(axis=1).mean()), rel=1e-3)
    assert [probe.segments for probe in found.probes] == [3, 1]


@pytest.mark.parametrize(
    ("precision", "worst", "said"),
    [
        ("float32", {"absolute": 2e-4}, "voice: differs from torch by 2.00e-04"),
        ("float32", {"relative": 2e-4}, "of its norm"),
        ("float16", {"cosine": 0.998}, "cosine 0.998000"),
        ("float16", {"relative": 0.02}, "of its norm"),
        ("int8", {"of_spread": 0.4}, "of the spread of real segments"),
        ("int8", {"cosine": math.nan}, "cosine nan"),
    ],
)
def test_what_exceeds_a_tolerance_is_refused_and_named(
    precision: Precision, worst: dict[str, float], said: str
) -> None:
    refuse_excess(report(precision=precision), TOLERANCES[precision])
    with pytest.raises(ParityError, match=said):
        refuse_excess(report(precision=precision, **worst), TOLERANCES[precision])


def test_large_features_may_differ_by_more_in_their_last_digits() -> None:
    refuse_excess(report(absolute=9e-4, largest=10.0), TOLERANCES["float32"])
    with pytest.raises(ParityError):
        refuse_excess(report(absolute=1.1e-3, largest=10.0), TOLERANCES["float32"])


def test_a_smaller_precision_may_cost_more() -> None:
    bounds = [TOLERANCES[precision] for precision in ("float32", "float16", "int8")]
    assert [bound.relative for bound in bounds] == sorted(bound.relative for bound in bounds)
    assert [bound.of_spread for bound in bounds] == sorted(bound.of_spread for bound in bounds)


def test_real_speech_and_words_are_cut_as_a_service_cuts_them(short_interview: tuple[Path, Path]) -> None:
    audio, transcript = short_interview
    both = read_material(audio, transcript)
    assert len(both.waveforms) == len(both.texts) >= 1
    assert all(wave.dtype == np.float32 and 0.01 < np.abs(wave).max() <= 1 for wave in both.waveforms)
    assert read_material(audio, None).texts == ()
    alone = read_material(None, transcript)
    assert alone.waveforms == ()
    assert " ".join(both.texts).split()[:5] == " ".join(alone.texts).split()[:5]
