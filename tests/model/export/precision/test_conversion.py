import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from model.encoders.description import GRAPH, WEIGHTS, Precision, read_description, write_description
from model.encoders.encoder import Encoder
from model.encoders.runtime import RuntimeOptions, open_session
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.errors import UnsupportedEncoder
from model.export.parity import TOLERANCES
from model.export.precision.attention_mask import remove_unmasked_branches
from model.export.precision.conversion import change_precision, graph_for_parity
from model.export.precision.regions import GraphRegions, find_regions

random = np.random.default_rng(5)
WAVEFORMS = [random.standard_normal(samples).astype(np.float32) * 0.1 for samples in (20_000, 39_000, 30_000, 25_000)]
TEXTS = ["I slept badly.", "We went for a walk by the river.", "Not much.", "Work was fine, thank you."]
FOUR = ["hubert", "whisper", "roberta", "t5"]
TWO = ["hubert", "roberta"]
SMALLER = ["float16", "int8"]


@pytest.fixture(scope="module")
def folder_of(encoders: Path, other_encoders: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`folder_of("t5", "int8")`: one of the shared encoders in that precision."""
    whole = {
        "hubert": encoders / "speech",
        "roberta": encoders / "text",
        "whisper": other_encoders / "speech",
        "t5": other_encoders / "text",
    }
    made = tmp_path_factory.mktemp("precisions")

    def folder(architecture: str, precision: Precision) -> Path:
        copy = made / f"{architecture}-{precision}"
        if not copy.exists():
            shutil.copytree(whole[architecture], copy)
            change_precision(copy / GRAPH, precision, wide=architecture == "t5")
            description = read_description(copy).model_copy(update={"precision": precision})
            write_description(copy, description)
        return copy

    return folder


def opened(folder: Path) -> Encoder[Any]:
    kind: Any = {"speech": SpeechEncoder, "text": TextEncoder}[read_description(folder).modality]
    return kind(folder, RuntimeOptions(threads=1))


def material_of(encoder: Encoder[Any]) -> list[Any]:
    return WAVEFORMS if encoder.description.modality == "speech" else TEXTS


def apart(features: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference, in the length of the reference."""
    return float((np.linalg.norm(features - reference, axis=1) / np.linalg.norm(reference, axis=1)).max())


def nodes_of(folder: Path) -> list[ir.Node]:
    return list(ir.load(folder / GRAPH).graph)


@pytest.mark.parametrize("precision", SMALLER)
@pytest.mark.parametrize("architecture", FOUR)
def test_a_smaller_precision_keeps_the_features(architecture: str, precision: Precision, folder_of: Any) -> None:
    encoder, whole = opened(folder_of(architecture, precision)), opened(folder_of(architecture, "float32"))
    difference = apart(encoder.encode(material_of(encoder)), whole.encode(material_of(whole)))
    assert 1e-6 < difference <= TOLERANCES[precision].relative / 3
    assert encoder.fingerprint != whole.fingerprint


@pytest.mark.parametrize("precision", SMALLER)
@pytest.mark.parametrize("architecture", TWO)
def test_a_smaller_precision_never_depends_on_batch_mates(architecture: str, precision: str, folder_of: Any) -> None:
    encoder = opened(folder_of(architecture, precision))
    material = material_of(encoder)
    together = encoder.encode(material)
    alone = np.concatenate([encoder.encode([one]) for one in material])
    assert apart(together, alone) <= 1e-5


@pytest.mark.parametrize("precision", SMALLER)
@pytest.mark.parametrize("architecture", FOUR)
def test_inputs_and_outputs_are_those_of_the_float32_graph(architecture: str, precision: str, folder_of: Any) -> None:
    def types(precision: str) -> list[tuple[str, str]]:
        session = open_session(folder_of(architecture, precision) / GRAPH, RuntimeOptions(threads=1))
        return [(entry.name, entry.type) for entry in (*session.get_inputs(), *session.get_outputs())]

    assert types(precision) == types("float32")


def regions_of(folder: Path) -> GraphRegions:
    model = ir.load(folder / GRAPH)
    remove_unmasked_branches(model)
    return find_regions(model.graph)


@pytest.mark.parametrize("architecture", FOUR)
def test_every_product_of_the_transformer_is_in_eight_bits_but_t5s_last_ones(architecture: str, folder_of: Any) -> None:
    regions = regions_of(folder_of(architecture, "float32"))
    kept = len(regions.feed_forward_outputs) if architecture == "t5" else 0
    operations = [node.op_type for node in nodes_of(folder_of(architecture, "int8"))]
    layers = {"hubert": 3, "roberta": 3, "whisper": 5, "t5": 5}[architecture]
    each = 7 if architecture == "t5" else 6
    assert len(regions.products) == each * layers
    assert len(regions.feed_forward_outputs) == layers
    assert operations.count("MatMulIntegerToFloat") == each * layers - kept


@pytest.mark.parametrize("architecture", FOUR)
def test_the_front_end_and_the_mean_stay_in_single_precision(architecture: str, folder_of: Any) -> None:
    halves: set[str] = set()
    singles: set[str] = set()
    for node in nodes_of(folder_of(architecture, "float16")):
        kinds = {value.dtype for value in node.inputs if value is not None}
        (halves if ir.DataType.FLOAT16 in kinds else singles).add(node.op_type)
    assert {"MatMul", "MultiHeadAttention"} <= halves
    assert not halves & {"Conv", "ReduceSum", "ReduceMax", "ReduceMean", "Log", "Sqrt"}
    assert "ReduceSum" in singles


def test_weights_take_half_or_a_quarter_of_the_bytes(folder_of: Any) -> None:
    products = regions_of(folder_of("roberta", "float32")).products
    shapes = {tuple(node.inputs[1].const_value.shape.numpy()) for node in products}

    def weights(precision: str) -> int:
        held = ir.load(folder_of("roberta", precision) / GRAPH).graph.initializers.values()
        return sum(one.const_value.nbytes for one in held if tuple(one.const_value.shape.numpy()) in shapes)

    assert [weights("float32") / weights(precision) for precision in SMALLER] == [2.0, 4.0]


def test_states_beyond_the_range_of_float16_do_not_overflow_in_t5(folder_of: Any, tmp_path: Path) -> None:
    whole = ir.load(folder_of("t5", "float32") / GRAPH)
    for node in find_regions(whole.graph).feed_forward_outputs:
        weights = node.inputs[1]
        weights.const_value = ir.tensor(weights.const_value.numpy() * np.float32(1e5), name=weights.name)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    feed = {"tokens": random.integers(4, 60, (2, 20)), "valid": np.array([20, 11])}

    def features(name: str, precision: Precision, *, wide: bool) -> np.ndarray:
        ir.save(whole, tmp_path / name)
        change_precision(tmp_path / name, precision, wide=wide)
        measured = graph_for_parity(tmp_path / name, precision, scratch)
        (found,) = open_session(measured, RuntimeOptions(threads=1)).run(["features"], feed)
        return found

    expected = features("whole.onnx", "float32", wide=True)
    assert apart(features("wide.onnx", "float16", wide=True), expected) <= 1e-2
    assert not np.isfinite(features("narrow.onnx", "float16", wide=False)).all()


@pytest.mark.parametrize("architecture", FOUR)
def test_the_features_survive_the_rounding_of_a_gpu(architecture: str, folder_of: Any, tmp_path: Path) -> None:
    folder = folder_of(architecture, "float16")
    spelled = Path(shutil.copytree(folder, tmp_path / architecture))
    graph_for_parity(folder / GRAPH, "float16", spelled)
    encoder, whole = opened(spelled), opened(folder_of(architecture, "float32"))
    features = encoder.encode(material_of(encoder))
    assert apart(features, opened(folder).encode(material_of(encoder))) > 0
    assert apart(features, whole.encode(material_of(whole))) <= TOLERANCES["float16"].relative / 3


@pytest.mark.parametrize("precision", SMALLER)
def test_weights_beyond_the_size_of_one_file_are_in_a_second_file_after_conversion(
    precision: Precision, folder_of: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folder_of("roberta", "float32"), tmp_path / "text"))
    reference = opened(folder_of("roberta", precision)).encode(TEXTS)
    ir.save(ir.load(folder / GRAPH), tmp_path / GRAPH, external_data=WEIGHTS)
    for name in (GRAPH, WEIGHTS):
        (tmp_path / name).replace(folder / name)
    before = (folder / WEIGHTS).stat().st_size
    change_precision(folder / GRAPH, precision, largest=1_000)
    assert (folder / WEIGHTS).stat().st_size < 0.8 * before
    np.testing.assert_array_equal(opened(folder).encode(TEXTS), reference)


def test_a_graph_without_a_transformer_is_refused() -> None:
    value = ir.Value(name="x", shape=ir.Shape([2, 3]), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.node("Abs", [value])
    graph = ir.Graph([value], node.outputs, nodes=[node], opset_imports={"": 20}, name="plain")
    with pytest.raises(UnsupportedEncoder, match="no transformer"):
        find_regions(graph)
