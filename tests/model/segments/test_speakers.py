import pytest

from model.config import SegmentSettings
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.transcript import Transcript
from model.recording.utterance import Utterance
from model.segments.speakers import HeardSpeaker, choose_speakers

SETTINGS = SegmentSettings()
LANGUAGES = {
    "English": ("Interviewer", "Participant"),
    "German": ("Ärztin", "Frau K."),
    "French": ("Enquêtrice", "Patient"),
    "French without accents": ("Medecin", "Anna"),
    "Spanish": ("Entrevistadora", "Sujeto 12"),
    "Italian": ("Dottoressa", "Paziente"),
    "Portuguese": ("Pesquisador", "Utente"),
    "Dutch": ("Onderzoekster", "Deelneemster"),
    "Polish": ("Osoba prowadząca wywiad", "Uczestniczka"),
    "Russian": ("Врач", "Пациентка"),
    "Ukrainian": ("Інтерв\N{RIGHT SINGLE QUOTATION MARK}юер", "Учасник"),
    "Czech": ("Tazatelka", "Klient"),
    "Slovak": ("Lekárka", "Jana"),
    "Slovenian": ("Zdravnica", "Udeleženec"),
    "Croatian": ("Ispitivačica", "Ispitanik"),
    "Romanian": ("Cercetător", "Pacientă"),
    "Hungarian": ("Kérdező", "Páciens"),
    "Greek": ("Ερευνήτρια", "Συμμετέχων"),
    "Bulgarian": ("Интервюиращ", "Участник"),
    "Turkish": ("Görüşmeci", "Hasta"),
    "Arabic": ("المحاور", "المريض"),
    "Hebrew": ("מראיינת", "משתתפת"),
    "Persian": ("مصاحبه‌گر", "بیمار"),
    "Urdu": ("ڈاکٹر", "مریض"),
    "Hindi": ("साक्षात्कारकर्ता", "प्रतिभागी"),
    "Bengali": ("ডাক্তার", "রোগী"),
    "Tamil": ("மருத்துவர்", "நோயாளி"),
    "Chinese": ("采访者1", "受访者1"),
    "Chinese with names": ("王医生", "小李"),
    "Traditional Chinese": ("訪談員", "受訪者"),
    "Japanese": ("面接者", "参加者"),
    "Korean": ("면접자", "참가자"),
    "Vietnamese": ("Bác sĩ", "Bệnh nhân"),
    "Thai": ("ผู้สัมภาษณ์", "ผู้ป่วย"),
    "Indonesian": ("Pewawancara", "Partisipan"),
    "Swedish": ("Läkaren", "Deltagare"),
    "Danish": ("Forsker", "Deltager"),
    "Norwegian": ("Intervjuer", "Pasient"),
    "Finnish": ("Haastattelija", "Haastateltava"),
    "Estonian": ("Küsitleja", "Osaleja"),
    "Latvian": ("Ārste", "Dalībniece"),
    "Lithuanian": ("Gydytoja", "Dalyvis"),
    "Catalan": ("Metgessa", "Entrevistat"),
}
WRITTEN_DIFFERENTLY = [
    ("ELLIE", "Participant"),
    ("Interviewer 1", "Participant 1"),
    ("Study interviewer", "Ellie Smith"),
    ("Anna (Therapist)", "Ben"),
    ("Dr. A. Doe", "B. Roe (she/her)"),
    ("Interviewer", "Dr. Roe"),
    ("INV", "PAR"),
    ("I", "P"),
    ("T", "C"),
    ("interviewer_2", "SPEAKER_01"),
]


def spoken(*labels):
    """One utterance of two seconds and three words for each label."""
    return Transcript(
        utterances=tuple(
            Utterance(start=2.0 * at, end=2.0 * at + 2, text="one two three", speaker=label)
            for at, label in enumerate(labels)
        )
    )


def scored(transcript, options=NO_OPTIONS, settings=SETTINGS):
    """The labels that are scored; None if the participant is unknown."""
    choice = choose_speakers(transcript, options, settings)
    assert not (choice.unknown and choice.kept)
    return None if choice.unknown else [utterance.speaker for utterance in choice.kept]


@pytest.mark.parametrize(("interviewer", "participant"), LANGUAGES.values(), ids=LANGUAGES)
def test_the_interviewer_is_known_by_the_word_of_the_language(interviewer, participant):
    assert scored(spoken(interviewer, participant, interviewer)) == [participant]
    assert scored(spoken(interviewer.upper(), participant)) == [participant]


@pytest.mark.parametrize(("interviewer", "participant"), WRITTEN_DIFFERENTLY)
def test_a_label_may_be_numbered_abbreviated_or_hold_a_name(interviewer, participant):
    assert scored(spoken(interviewer, participant)) == [participant]


@pytest.mark.parametrize(
    "labels",
    [
        ("SPEAKER_00", "SPEAKER_01"),
        ("Speaker A", "Speaker B"),
        ("Sprecher 1", "Sprecher 2"),
        ("Locuteur 1", "Locuteur 2"),
        ("Hablante 1", "Hablante 2"),
        ("Anna", "Ben"),
        ("Participant 1", "Participant 2", "Moderator"),
        ("Interviewer", "SPEAKER_01", "SPEAKER_02"),
        ("1", "2"),
    ],
)
def test_of_speakers_that_no_label_tells_apart_nobody_is_scored(labels):
    assert scored(spoken(*labels)) is None


def test_a_single_speaker_is_the_participant_unless_the_label_is_an_interviewers():
    assert scored(spoken("SPEAKER_00", "SPEAKER_00")) == ["SPEAKER_00"] * 2
    assert scored(spoken("Interviewer")) == []


def test_a_known_participant_is_scored_and_the_relatives_are_not():
    assert scored(spoken("Interviewer", "Patient", "Mother")) == ["Patient"]
    assert scored(spoken("SPEAKER_00", "Participant")) == ["Participant"]


def test_utterances_without_a_label_are_scored_unless_a_participant_is_named():
    assert scored(spoken(None, None)) == [None, None]
    assert scored(spoken(None, "Interviewer", "Participant")) == [None, "Participant"]
    assert scored(spoken(None, "A", "B"), RecordingOptions(participant=("B",))) == ["B"]


def test_the_sender_names_the_participant_or_the_interviewer():
    conversation = spoken("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    assert scored(conversation, RecordingOptions(participant=("speaker_01",))) == ["SPEAKER_01"]
    assert scored(conversation, RecordingOptions(participant=("SPEAKER_01", "SPEAKER_02"))) == [
        "SPEAKER_01",
        "SPEAKER_02",
    ]
    assert scored(conversation, RecordingOptions(interviewer=("SPEAKER_00", "SPEAKER_01"))) == ["SPEAKER_02"]
    assert scored(conversation, RecordingOptions(interviewer=("SPEAKER_00",))) is None
    # The sender knows better than the label.
    assert scored(spoken("Doctor", "Interviewer"), RecordingOptions(participant=("Doctor",))) == ["Doctor"]


def test_everyone_is_scored_only_when_the_sender_or_the_bundle_says_so():
    conversation = spoken("SPEAKER_00", "Interviewer", None)
    assert scored(conversation, RecordingOptions(participant=("everyone",))) == ["SPEAKER_00", "Interviewer", None]
    assert scored(conversation, settings=SegmentSettings(participant_only=False)) == [
        "SPEAKER_00",
        "Interviewer",
        None,
    ]


def test_a_named_participant_who_does_not_speak_is_not_replaced_by_another():
    assert scored(spoken("A", "B"), RecordingOptions(participant=("C",))) is None
    assert scored(spoken(None), RecordingOptions(participant=("C",))) is None


def test_the_labels_of_the_bundle_are_interviewers_too():
    settings = SegmentSettings(interviewer_labels=("agent",))
    assert scored(spoken("Agent 7", "Caller"), settings=settings) == ["Caller"]


def test_everybody_who_speaks_is_counted_in_the_order_of_their_first_words():
    choice = choose_speakers(spoken("Interviewer", "Ann", "interviewer"), NO_OPTIONS, SETTINGS)
    assert choice.speakers == (
        HeardSpeaker(label="Interviewer", seconds=4.0, words=6, scored=False),
        HeardSpeaker(label="Ann", seconds=2.0, words=3, scored=True),
    )


def test_speakers_of_a_transcript_without_times_have_no_seconds():
    untimed = Transcript(utterances=(Utterance(start=None, end=None, text="one two", speaker=None),))
    assert choose_speakers(untimed, NO_OPTIONS, SETTINGS).speakers == (
        HeardSpeaker(label=None, seconds=None, words=2, scored=True),
    )
