"""Utterances written in each format of transcripts, as the tool of the format writes them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from model.recording.utterance import Utterance

Utterances = Sequence[Utterance]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A way to write utterances, and what reading gives back.

    `format` and `time_unit` are those of the parsed transcript; `rounding` is the largest change of a time in seconds,
    None where the ends or all times are not written; `speakers` says how a speaker of the utterances is named.
    """

    write: Callable[[Utterances], str]
    format: str
    time_unit: str | None
    rounding: float | None = 0.0
    speakers: Callable[[Utterances, str], str | None] = lambda _, speaker: speaker


def webvtt(utterances: Utterances) -> str:
    cues = (f"{clock(u.start)} --> {clock(u.end)}\n<v {u.speaker}>{escape(u.text)}</v>\n" for u in utterances)
    return "WEBVTT\n\n" + "\n".join(cues)


def zoom_webvtt(utterances: Utterances) -> str:
    cues = (
        f"{at}\n{clock(u.start)} --> {clock(u.end)}\n{u.speaker}: {u.text}\n"
        for at, u in enumerate(utterances, start=1)
    )
    return "WEBVTT\n\n" + "\n".join(cues)


def subrip(utterances: Utterances) -> str:
    return "\n".join(
        f"{at}\n{clock(u.start, ',')} --> {clock(u.end, ',')}\n{u.speaker}: {u.text}\n"
        for at, u in enumerate(utterances, start=1)
    )


def teams(utterances: Utterances) -> str:
    return "\n".join(f"{clock(u.start)} --> {clock(u.end)}\n{u.speaker}\n{u.text}\n" for u in utterances)


def ass(utterances: Utterances) -> str:
    head = (
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n[Events]\n"
    )
    columns = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    return (
        head
        + columns
        + "\n".join(
            f"Dialogue: 0,{clock(u.start, digits=2)[1:]},{clock(u.end, digits=2)[1:]},Default,{u.speaker},0,0,0,,"
            f"{{\\i1}}{u.text}{{\\i0}}"
            for u in utterances
        )
    )


def ttml(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    agents = "".join(
        f'<ttm:agent xml:id="a{at}" type="person"><ttm:name type="full">{escape(name)}</ttm:name></ttm:agent>'
        for at, name in enumerate(names)
    )
    cues = "\n".join(
        f'<p begin="{clock(u.start)}" end="{clock(u.end)}" ttm:agent="a{names.index(u.speaker)}">{escape(u.text)}</p>'
        for u in utterances
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<tt xmlns="http://www.w3.org/ns/ttml" '
        'xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xml:lang="en">\n'
        f"<head><metadata>{agents}</metadata></head>\n<body><div>\n{cues}\n</div></body></tt>\n"
    )


def sbv(utterances: Utterances) -> str:
    return "\n".join(f"{clock(u.start)[1:]},{clock(u.end)[1:]}\n{u.speaker}: {u.text}\n" for u in utterances)


def lrc(utterances: Utterances) -> str:
    lines = (f"[{minutes(u.start)}]{u.speaker}: {u.text}\n[{minutes(u.end)}]\n" for u in utterances)
    return "[re:a tool]\n" + "".join(lines)


def whisper_json(utterances: Utterances) -> str:
    segments = [
        {
            "id": at,
            "seek": 0,
            "start": u.start,
            "end": u.end,
            "text": f" {u.text}",
            "tokens": [50364],
            "temperature": 0.0,
        }
        for at, u in enumerate(utterances)
    ]
    return json.dumps({"text": whole(utterances), "segments": segments, "language": "en"})


def whisperx_json(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    segments = [
        {
            "start": u.start,
            "end": u.end,
            "text": f" {u.text}",
            "words": [{"word": text, "start": start, "end": end, "score": 0.9} for text, start, end in words(u)],
            "speaker": f"SPEAKER_{names.index(u.speaker):02}",
        }
        for u in utterances
    ]
    return json.dumps({"segments": segments, "word_segments": []})


def whisper_cpp_json(utterances: Utterances) -> str:
    items = [
        {
            "timestamps": {"from": clock(u.start, ","), "to": clock(u.end, ",")},
            "offsets": {"from": ms(u.start), "to": ms(u.end)},
            "text": f" {u.text}",
        }
        for u in utterances
    ]
    return json.dumps({"systeminfo": "", "params": {"language": "en"}, "transcription": items})


def transformers_json(utterances: Utterances) -> str:
    chunks = [{"timestamp": [u.start, u.end], "text": f" {u.text}"} for u in utterances]
    return json.dumps({"text": whole(utterances), "chunks": chunks})


def assemblyai_json(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    items = [
        {
            "start": ms(u.start),
            "end": ms(u.end),
            "text": u.text,
            "speaker": "ABCDEFGH"[names.index(u.speaker)],
            "confidence": 0.9,
            "words": [{"text": text, "start": ms(start), "end": ms(end)} for text, start, end in words(u)],
        }
        for u in utterances
    ]
    return json.dumps({"id": "x", "status": "completed", "text": whole(utterances), "utterances": items})


def deepgram_json(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    items = [
        {
            "start": u.start,
            "end": u.end,
            "channel": 0,
            "transcript": u.text,
            "speaker": names.index(u.speaker),
            "id": "x",
        }
        for u in utterances
    ]
    channel = {"alternatives": [{"transcript": whole(utterances), "confidence": 0.9, "words": []}]}
    return json.dumps({"metadata": {"channels": 1}, "results": {"channels": [channel], "utterances": items}})


def aws_transcribe_json(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    items, segments = [], []
    for u in utterances:
        label = f"spk_{names.index(u.speaker)}"
        timed = [{"start_time": f"{start:.3f}", "end_time": f"{end:.3f}"} for _, start, end in words(u)]
        segments.append(
            {
                "start_time": f"{u.start:.3f}",
                "end_time": f"{u.end:.3f}",
                "speaker_label": label,
                "items": [{**times, "speaker_label": label} for times in timed],
            }
        )
        for (text, _, _), times in zip(words(u), timed, strict=True):
            word = text.rstrip(".,?")
            items.append({"type": "pronunciation", "alternatives": [{"confidence": "0.9", "content": word}], **times})
            items += [
                {"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": mark}]}
                for mark in text[len(word) :]
            ]
    labels = {"speakers": len(names), "segments": segments}
    results = {"transcripts": [{"transcript": whole(utterances)}], "speaker_labels": labels, "items": items}
    return json.dumps({"jobName": "x", "accountId": "1", "status": "COMPLETED", "results": results})


def google_speech_json(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    results = [
        {
            "alternatives": [
                {
                    "transcript": u.text,
                    "words": [
                        {
                            "word": text,
                            "startTime": f"{start:.3f}s",
                            "endTime": f"{end:.3f}s",
                            "speakerTag": names.index(u.speaker) + 1,
                        }
                        for text, start, end in words(u)
                    ],
                }
            ],
            "languageCode": "en-us",
        }
        for u in utterances
    ]
    return json.dumps({"results": results})


def azure_speech_json(utterances: Utterances) -> str:
    names = speakers_of(utterances)
    phrases = [
        {
            "recognitionStatus": "Success",
            "channel": 0,
            "speaker": names.index(u.speaker) + 1,
            "offset": f"PT{u.start:g}S",
            "duration": f"PT{u.end - u.start:g}S",
            "offsetInTicks": ms(u.start) * 10_000.0,
            "durationInTicks": (ms(u.end) - ms(u.start)) * 10_000.0,
            "nBest": [{"confidence": 0.9, "lexical": u.text.lower(), "display": u.text}],
        }
        for u in utterances
    ]
    combined = [{"channel": 0, "display": whole(utterances)}]
    return json.dumps({"source": "x", "combinedRecognizedPhrases": combined, "recognizedPhrases": phrases})


def own_json(utterances: Utterances) -> str:
    rows = [{"start": u.start, "end": u.end, "speaker": u.speaker, "text": u.text} for u in utterances]
    return json.dumps({"utterances": rows})


def json_list(utterances: Utterances) -> str:
    return json.dumps(json.loads(own_json(utterances))["utterances"], indent=1)


def whisper_tsv(utterances: Utterances) -> str:
    return "start\tend\ttext\n" + "".join(f"{ms(u.start)}\t{ms(u.end)}\t{u.text}\n" for u in utterances)


def daic_woz(utterances: Utterances) -> str:
    rows = (f"{u.start:.3f}\t{u.end:.3f}\t{u.speaker}\t{u.text}\n" for u in utterances)
    return "start_time\tstop_time\tspeaker\tvalue\n" + "".join(rows)


def e_daic(utterances: Utterances) -> str:
    rows = (f'{u.start},{u.end},"{u.text}",0.9123\n' for u in utterances)
    return "Start_Time,End_Time,Text,Confidence\n" + "".join(rows)


def csv_table(utterances: Utterances) -> str:
    rows = (f'{clock(u.start)},{clock(u.end)},{u.speaker},"{u.text}"\n' for u in utterances)
    return "Start,End,Speaker,Text\n" + "".join(rows)


def textgrid(utterances: Utterances) -> str:
    """The long form, with a tier for each speaker."""
    end = max(u.end for u in utterances)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end} "]
    names = speakers_of(utterances)
    lines += ["tiers? <exists> ", f"size = {len(names)} ", "item []: "]
    for at, name in enumerate(names, start=1):
        spoken = [u for u in utterances if u.speaker == name]
        lines += [f"    item [{at}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += ["        xmin = 0 ", f"        xmax = {end} ", f"        intervals: size = {len(spoken)} "]
        for number, u in enumerate(spoken, start=1):
            lines += [
                f"        intervals [{number}]:",
                f"            xmin = {u.start} ",
                f"            xmax = {u.end} ",
            ]
            lines += [f'            text = "{quoted(u.text)}" ']
    return "\n".join(lines) + "\n"


def textgrid_short(utterances: Utterances) -> str:
    end = max(u.end for u in utterances)
    names = speakers_of(utterances)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", f"{end}", "<exists>", f"{len(names)}"]
    for name in names:
        spoken = [u for u in utterances if u.speaker == name]
        lines += ['"IntervalTier"', f'"{name}"', "0", f"{end}", f"{len(spoken)}"]
        for u in spoken:
            lines += [f"{u.start}", f"{u.end}", f'"{quoted(u.text)}"']
    return "\n".join(lines) + "\n"


def elan(utterances: Utterances) -> str:
    slots, tiers = [], []
    for name in speakers_of(utterances):
        annotations = []
        for at, u in enumerate(utterances):
            if u.speaker != name:
                continue
            slots.append(f'<TIME_SLOT TIME_SLOT_ID="b{at}" TIME_VALUE="{ms(u.start)}"/>')
            slots.append(f'<TIME_SLOT TIME_SLOT_ID="e{at}" TIME_VALUE="{ms(u.end)}"/>')
            annotations.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="n{at}" TIME_SLOT_REF1="b{at}" '
                f'TIME_SLOT_REF2="e{at}">'
                f"<ANNOTATION_VALUE>{escape(u.text)}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            )
        tiers.append(f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}">{"".join(annotations)}</TIER>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" FORMAT="3.0" VERSION="3.0">\n'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>\n<TIME_ORDER>{"".join(slots)}</TIME_ORDER>\n'
        + "\n".join(tiers)
        + "\n</ANNOTATION_DOCUMENT>\n"
    )


def chat(utterances: Utterances) -> str:
    return _chat(utterances, lambda u: f" \x15{ms(u.start)}_{ms(u.end)}\x15")


def chat_without_times(utterances: Utterances) -> str:
    return _chat(utterances, lambda u: "")


def otter(utterances: Utterances) -> str:
    return "\n".join(f"{u.speaker}  {short(u.start)}  \n{u.text}\n" for u in utterances)


def rev(utterances: Utterances) -> str:
    return "\n".join(f"{u.speaker} ({short(u.start, 2)}):\n{u.text}\n" for u in utterances)


def otranscribe(utterances: Utterances) -> str:
    return "\n".join(f"{short(u.start, 2)} {u.speaker}: {u.text}\n" for u in utterances)


def bracketed(utterances: Utterances) -> str:
    return "".join(f"[{clock(u.start)[:8]}] {u.speaker}: {u.text}\n" for u in utterances)


def whisper_console(utterances: Utterances) -> str:
    return "".join(f"[{minutes(u.start, 3)} --> {minutes(u.end, 3)}]  {u.text}\n" for u in utterances)


def labelled(utterances: Utterances) -> str:
    return "".join(f"{u.speaker}: {u.text}\n" for u in utterances)


def prose(utterances: Utterances) -> str:
    return "\n\n".join(u.text for u in utterances)


def _numbered(prefix: str, first: int) -> Callable[[Utterances, str], str]:
    return lambda utterances, speaker: f"{prefix}{speakers_of(utterances).index(speaker) + first}"


def _nobody(_: Utterances, __: str) -> None:
    return None


WRITTEN: dict[str, Written] = {
    "webvtt": Written(write=webvtt, format="webvtt", time_unit="clock"),
    "zoom_webvtt": Written(write=zoom_webvtt, format="webvtt", time_unit="clock"),
    "subrip": Written(write=subrip, format="subrip", time_unit="clock"),
    "teams": Written(write=teams, format="subrip", time_unit="clock"),
    "ass": Written(write=ass, format="ass", time_unit="clock", rounding=0.0051),
    "ttml": Written(write=ttml, format="ttml", time_unit="clock"),
    "sbv": Written(write=sbv, format="sbv", time_unit="clock"),
    "lrc": Written(write=lrc, format="lrc", time_unit="clock", rounding=0.0051),
    "whisper_json": Written(write=whisper_json, format="whisper_json", time_unit="seconds", speakers=_nobody),
    "whisperx_json": Written(
        write=whisperx_json,
        format="whisperx_json",
        time_unit="seconds",
        speakers=lambda utterances, speaker: f"SPEAKER_{speakers_of(utterances).index(speaker):02}",
    ),
    "whisper_cpp_json": Written(
        write=whisper_cpp_json, format="whisper_cpp_json", time_unit="milliseconds", speakers=_nobody
    ),
    "transformers_json": Written(
        write=transformers_json, format="transformers_json", time_unit="seconds", speakers=_nobody
    ),
    "assemblyai_json": Written(
        write=assemblyai_json,
        format="assemblyai_json",
        time_unit="milliseconds",
        speakers=lambda utterances, speaker: "ABCDEFGH"[speakers_of(utterances).index(speaker)],
    ),
    "deepgram_json": Written(
        write=deepgram_json, format="deepgram_json", time_unit="seconds", speakers=_numbered("Speaker ", 0)
    ),
    "aws_transcribe_json": Written(
        write=aws_transcribe_json, format="aws_transcribe_json", time_unit="seconds", speakers=_numbered("spk_", 0)
    ),
    "google_speech_json": Written(
        write=google_speech_json, format="google_speech_json", time_unit="seconds", speakers=_numbered("Speaker ", 1)
    ),
    "azure_speech_json": Written(
        write=azure_speech_json, format="azure_speech_json", time_unit="ticks", speakers=_numbered("Speaker ", 1)
    ),
    "own_json": Written(write=own_json, format="json", time_unit="seconds"),
    "json_list": Written(write=json_list, format="json", time_unit="seconds"),
    "whisper_tsv": Written(write=whisper_tsv, format="whisper_tsv", time_unit="milliseconds", speakers=_nobody),
    "daic_woz": Written(write=daic_woz, format="daic_woz", time_unit="seconds"),
    "e_daic": Written(write=e_daic, format="e_daic", time_unit="seconds", speakers=_nobody),
    "csv_table": Written(write=csv_table, format="table", time_unit="clock"),
    "textgrid": Written(write=textgrid, format="textgrid", time_unit="seconds"),
    "textgrid_short": Written(write=textgrid_short, format="textgrid", time_unit="seconds"),
    "elan": Written(write=elan, format="elan", time_unit="milliseconds"),
    "chat": Written(write=chat, format="chat", time_unit="milliseconds"),
    "chat_without_times": Written(write=chat_without_times, format="chat", time_unit=None, rounding=None),
    "otter": Written(write=otter, format="labelled_text", time_unit="clock", rounding=None),
    "rev": Written(write=rev, format="labelled_text", time_unit="clock", rounding=None),
    "otranscribe": Written(write=otranscribe, format="labelled_text", time_unit="clock", rounding=None),
    "bracketed": Written(write=bracketed, format="labelled_text", time_unit="clock", rounding=None),
    "whisper_console": Written(write=whisper_console, format="labelled_text", time_unit="clock", speakers=_nobody),
    "labelled": Written(write=labelled, format="labelled_text", time_unit=None, rounding=None),
    "prose": Written(write=prose, format="plain_text", time_unit=None, rounding=None, speakers=_nobody),
}


def speakers_of(utterances: Utterances) -> list[str]:
    """The speakers in the order of their first utterance."""
    return list(dict.fromkeys(u.speaker for u in utterances))


def words(u: Utterance) -> list[tuple[str, float, float]]:
    """The words of an utterance; they share its time equally."""
    spoken = u.text.split()
    step = (u.end - u.start) / len(spoken)
    ends = [*(round(u.start + step * at, 3) for at in range(1, len(spoken))), u.end]
    return [(text, start, end) for text, start, end in zip(spoken, [u.start, *ends[:-1]], ends, strict=True)]


def whole(utterances: Utterances) -> str:
    return " ".join(u.text for u in utterances)


def quoted(text: str) -> str:
    return text.replace('"', '""')


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def clock(seconds: float, mark: str = ".", digits: int = 3) -> str:
    whole_units = round(seconds * 10**digits)
    total, fraction = divmod(whole_units, 10**digits)
    return f"{total // 3600:02}:{total // 60 % 60:02}:{total % 60:02}{mark}{fraction:0{digits}}"


def minutes(seconds: float, digits: int = 2) -> str:
    hours, past_hour, rest = clock(seconds, digits=digits).split(":")
    return f"{60 * int(hours) + int(past_hour):02}:{rest}"


def short(seconds: float, least: int = 1) -> str:
    """Whole minutes and seconds, rounded down, as people note them."""
    return f"{int(seconds) // 60:0{least}}:{int(seconds) % 60:02}"


def _chat(utterances: Utterances, bullet: Callable[[Utterance], str]) -> str:
    names = speakers_of(utterances)
    codes = ["INV", "PAR", "SP1", "SP2"]
    listed = ", ".join(f"{code} {name}" for code, name in zip(codes, names, strict=False))
    lines = [f"*{codes[names.index(u.speaker)]}:\t{u.text}{bullet(u)}\n%com:\tnot spoken\n" for u in utterances]
    return f"@UTF8\n@Begin\n@Languages:\teng\n@Participants:\t{listed}\n" + "".join(lines) + "@End\n"
