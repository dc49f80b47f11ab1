import io

import pytest
from rich.console import Console

from service.assessments.result import (
    NOTICE,
    Contributions,
    GraphTrace,
    ModelTrace,
    OutcomeProbability,
    Quality,
    QualityFlag,
    Result,
    SegmentEffect,
)
from service.cli.rendering import DEMONSTRATION, render_result

PROBABILITIES = {"none": 0.2, "mood": 0.61, "bipolar": 0.1895, "psychosis": 0.0005}


@pytest.fixture
def contributions():
    return Contributions(
        outcome="mood",
        audio=0.82,
        text=-0.41,
        interaction=0.1,
        baseline=-0.4,
        total=0.01,
        probability_audio=0.15,
        probability_text=-0.07,
        share_audio=0.67,
        share_text=0.33,
        stable=True,
    )


@pytest.fixture
def trace():
    return ModelTrace(
        bundle="spectrum-demo",
        version="0.1.0",
        digest="sha256:" + "ab12" * 16,
        demonstration=True,
        encoders={"speech": "f" * 64},
        provider="CPUExecutionProvider",
        precision="float32",
        runtime={"onnxruntime": "1.32.0"},
    )


@pytest.fixture
def scored(contributions, trace):
    return Result(
        task="spectrum",
        outcome="mood",
        probabilities=tuple(OutcomeProbability(outcome=o, probability=p) for o, p in PROBABILITIES.items()),
        contributions=contributions,
        segments=(
            SegmentEffect(index=3, start=61.2, end=90.1, text="so I went home", audio_effect=0.3, text_effect=-0.1),
            SegmentEffect(index=9, start=3601.0, end=3630.0, text="", audio_effect=-0.2, text_effect=0.0),
        ),
        quality=Quality(
            duration_seconds=250.0,
            speech_seconds=200.0,
            segments=9,
            words=1,
            snr_db=31.2,
            clipping=0.004,
            flags=(QualityFlag(code="text_times_estimated", hard=False, message="Send a timed transcript."),),
        ),
        model=trace,
    )


@pytest.fixture
def abstained(scored):
    quality = Quality(
        duration_seconds=30.0,
        speech_seconds=0.0,
        segments=0,
        words=0,
        snr_db=None,
        clipping=None,
        flags=(
            QualityFlag(code="transcript_missing", hard=False, message="There was no transcript."),
            QualityFlag(code="silence", hard=True, message="No speech was found. Check the microphone."),
        ),
    )
    changes = {
        "outcome": None,
        "probabilities": (),
        "contributions": None,
        "segments": (),
        "quality": quality,
    }
    return scored.model_copy(update=changes)


def printed(result, *, encoding="utf-8", width=80):
    """What a pipe of this encoding would receive."""
    raw = io.BytesIO()
    pipe = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    render_result(result, Console(file=pipe, width=width))
    pipe.flush()
    return raw.getvalue().decode(encoding)


def line_with(text, words):
    return next(line for line in text.splitlines() if words in line)


def test_every_outcome_shows_its_probability_and_a_bar_of_that_length(scored):
    text = printed(scored)
    lengths = {outcome: line_with(text, outcome + " ").count("█") for outcome in ("none", "mood", "bipolar")}
    assert lengths == {"none": 6, "mood": 18, "bipolar": 6}
    assert "61.0%" in line_with(text, "mood  ")


def test_a_probability_too_small_for_a_bar_leaves_a_trace(scored):
    line = line_with(printed(scored), "psychosis")
    assert "▏" in line
    assert "█" not in line


def test_contributions_are_signed_and_said_in_plain_words(scored):
    text = printed(scored)
    audio, words = line_with(text, "  audio  "), line_with(text, "  text  ")
    assert "+0.82" in audio
    assert "0.82 lower when audio is withheld" in audio
    assert "-0.41" in words
    assert "0.41 higher when text is withheld" in words
    assert "It describes this model, not the person" in " ".join(text.split())


def test_a_positive_bar_grows_to_the_right_of_zero_and_a_negative_one_to_the_left(scored):
    text = printed(scored)
    assert line_with(text, "  audio  ").count("│█") == 1
    assert line_with(text, "  text  ").count("█│") == 1


def test_contributions_that_are_all_zero_have_no_bars(scored, contributions):
    nothing = dict.fromkeys(("audio", "text", "interaction", "baseline", "total"), 0.0)
    changed = contributions.model_copy(update={**nothing, "share_audio": None, "share_text": None})
    text = printed(scored.model_copy(update={"contributions": changed}))
    assert "█" not in line_with(text, "  audio  ")
    assert "Shares of the movement" not in text


@pytest.mark.parametrize("stable", [True, False])
def test_unstable_contributions_are_called_so(scored, contributions, stable):
    changed = contributions.model_copy(update={"stable": stable})
    text = " ".join(printed(scored.model_copy(update={"contributions": changed})).split())
    assert ("Do not rely on them" in text) is not stable


def test_segments_come_with_their_times_effects_and_words(scored):
    text = printed(scored)
    assert line_with(text, "01:01-01:30").split() == [
        "01:01-01:30",
        "+0.30",
        "-0.10",
        "so",
        "I",
        "went",
        "home",
    ]
    assert "(no words)" in line_with(text, "60:01-60:30")


def test_long_words_are_shortened_at_a_space(scored):
    segment = scored.segments[0].model_copy(update={"text": "alphabet " * 20})
    text = printed(scored.model_copy(update={"segments": (segment,)}), width=120)
    assert line_with(text, "01:01").rstrip().endswith("alphabet…")
    assert text.count("alphabet") < 8


def test_a_transcript_cannot_steer_the_terminal(scored):
    segment = scored.segments[0].model_copy(update={"text": "hello\x1b[2J [red]there\r\n"})
    text = printed(scored.model_copy(update={"segments": (segment,)}))
    assert "\x1b" not in text
    assert "hello [2J [red]there" in text


def test_quality_names_what_was_found_and_each_flag(scored):
    text = " ".join(printed(scored).split())
    assert "04:10 long, 03:20 of speech, 9 segments, 1 word, signal to noise 31 dB, clipped 0.4%" in text
    assert "text_times_estimated: Send a timed transcript." in text


def test_spotless_material_is_said_to_be_so(scored):
    spotless = scored.quality.model_copy(update={"flags": ()})
    assert "nothing to remark" in printed(scored.model_copy(update={"quality": spotless}))


def test_the_bundle_its_short_digest_and_the_notice_are_there(scored):
    text = " ".join(printed(scored).split())
    assert "bundle spectrum-demo 0.1.0, sha256 ab12ab12ab12, CPUExecutionProvider, float32" in text
    assert NOTICE in text


@pytest.mark.parametrize(
    ("signer", "said"),
    [("3f1c9a70b2d4e586", "signed by the key 3f1c9a70b2d4e586"), (None, "not signed by a trusted key")],
)
def test_it_is_said_who_signed_the_bundle(scored, signer, said):
    model = scored.model.model_copy(update={"signed_by": signer})
    assert said in " ".join(printed(scored.model_copy(update={"model": model})).split())


def test_graphs_that_ran_apart_are_named_one_by_one(scored, trace):
    gpu = GraphTrace(provider="CUDAExecutionProvider", device="cuda:0 NVIDIA H100", precision="float16", digest="ab")
    cpu = GraphTrace(provider="CPUExecutionProvider", device="AMD EPYC 9B14", precision="float32", digest="cd")

    def shown(graphs):
        model = trace.model_copy(update={"graphs": graphs})
        return " ".join(printed(scored.model_copy(update={"model": model})).split())

    assert "speech on cuda:0 NVIDIA H100, CUDAExecutionProvider, float16" in shown({"speech": gpu, "network": cpu})
    assert "EPYC" not in shown({"speech": cpu, "network": cpu})


@pytest.mark.parametrize("demonstration", [True, False])
def test_only_a_demonstration_bundle_is_called_one(scored, trace, demonstration):
    model = trace.model_copy(update={"demonstration": demonstration})
    text = " ".join(printed(scored.model_copy(update={"model": model})).split())
    assert (DEMONSTRATION in text) == demonstration


def test_an_abstained_result_says_why_and_what_to_do_before_anything_else(abstained):
    text = printed(abstained)
    assert "no score" in text.splitlines()[0]
    assert text.index("silence: No speech was found. Check the microphone.") < text.index("transcript_missing")
    assert text.count("silence:") == 1
    assert "%" not in text
    assert NOTICE in " ".join(text.split())


@pytest.mark.parametrize("width", [80, 60])
def test_no_line_is_wider_than_the_console(scored, abstained, width):
    for result in (scored, abstained):
        assert max(len(line) for line in printed(result, width=width).splitlines()) <= width


def test_an_ascii_pipe_gets_ascii_bars_and_words(scored):
    segment = scored.segments[0].model_copy(update={"text": "Grüße " * 30})
    text = printed(scored.model_copy(update={"segments": (segment,)}), encoding="ascii")
    assert line_with(text, "mood  ").count("#") == 18
    assert "Gr??e..." in text


def test_a_pipe_gets_no_colour_codes(scored):
    assert "\x1b" not in printed(scored)
