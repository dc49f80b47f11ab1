import numpy as np

from model.features import SegmentChunk, SegmentFeatures, SegmentMaterial, join


def material(index: int, samples: int, text: str) -> SegmentMaterial:
    return SegmentMaterial(index=index, time=index * 20.0, samples=np.arange(samples, dtype=np.int16), text=text)


def features(indices: list[int]) -> SegmentFeatures:
    count = len(indices)
    return SegmentFeatures(
        indices=np.array(indices, dtype=np.int64),
        times=np.array(indices, dtype=np.float32) * 20,
        audio=np.array(indices, dtype=np.float32)[:, None] * np.ones((1, 3), dtype=np.float32),
        text=np.zeros((count, 2), dtype=np.float32),
        audio_mask=np.ones(count, dtype=np.bool_),
        text_mask=np.zeros(count, dtype=np.bool_),
    )


def test_a_chunk_survives_its_journey_through_the_object_store() -> None:
    chunk = SegmentChunk(segments=(material(0, 5, "Grüße, “hello”"), material(1, 0, ""), material(2, 7, "x")))
    again = SegmentChunk.from_bytes(chunk.to_bytes())
    for before, after in zip(chunk.segments, again.segments, strict=True):
        assert (before.index, before.time, before.text) == (after.index, after.time, after.text)
        np.testing.assert_array_equal(before.samples, after.samples)


def test_a_chunk_of_text_alone_survives_too() -> None:
    again = SegmentChunk.from_bytes(SegmentChunk(segments=(material(0, 0, "words"),)).to_bytes())
    assert again.segments[0].text == "words"
    assert again.segments[0].samples.shape == (0,)


def test_features_survive_their_journey() -> None:
    before = features([0, 1])
    after = SegmentFeatures.from_bytes(before.to_bytes())
    for name in SegmentFeatures.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_chunks_that_arrive_out_of_order_are_joined_in_order() -> None:
    joined = join([features([3, 4]), features([0, 1, 2])])
    assert joined.indices.tolist() == [0, 1, 2, 3, 4]
    assert joined.audio[:, 0].tolist() == [0, 1, 2, 3, 4]
