# ruff: noqa: RUF001 (labels of many scripts hold letters that look like Latin ones)
"""Speaker labels that say which role a speaker has, in the languages that transcripts are labelled in.

`speakers.py` compares them with the labels of a transcript. Each language lists the words for the one who asks and the
one who answers in an interview, in both genders where the word has two. Words that name both roles in some studies
(`speaker`, `caller`, `host`) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

INTERVIEWER_WORDS: Mapping[str, str] = {
    "en": (
        "interviewer, clinician, therapist, doctor, professor, physician, psychiatrist, psychologist, "
        "psychotherapist, counselor, counsellor, examiner, experimenter, investigator, researcher, assessor, rater, "
        "moderator, nurse, inv, int, interviewers"
    ),
    "de": (
        "interviewerin, interviewende, interviewende person, arzt, ärztin, therapeut, therapeutin, psychologe, "
        "psychologin, psychiater, psychiaterin, psychotherapeut, psychotherapeutin, untersucher, untersucherin, "
        "versuchsleiter, versuchsleiterin, versuchsleitung, moderatorin, fragesteller, fragestellerin, pfleger, "
        "pflegerin, testleiter, testleiterin, berater, beraterin"
    ),
    "fr": (
        "enquêteur, enquêtrice, intervieweur, intervieweuse, médecin, docteur, docteure, thérapeute, psychologue, "
        "psychiatre, psychothérapeute, clinicien, clinicienne, examinateur, examinatrice, chercheur, chercheuse, "
        "expérimentateur, expérimentatrice, modérateur, modératrice, infirmier, infirmière, soignant, soignante"
    ),
    "es": (
        "entrevistador, entrevistadora, médico, médica, doctora, terapeuta, psicólogo, psicóloga, psiquiatra, "
        "clínico, clínica, investigador, investigadora, evaluador, evaluadora, examinador, examinadora, moderador, "
        "moderadora, enfermero, enfermera"
    ),
    "it": (
        "intervistatore, intervistatrice, medico, dottore, dottoressa, terapista, psicologo, psicologa, psichiatra, "
        "psicoterapeuta, clinico, ricercatore, ricercatrice, esaminatore, esaminatrice, moderatore, moderatrice, "
        "infermiere, infermiera"
    ),
    "pt": (
        "entrevistador, entrevistadora, médico, médica, doutor, doutora, terapeuta, psicólogo, psicóloga, psiquiatra, "
        "clínico, pesquisador, pesquisadora, investigador, investigadora, avaliador, avaliadora, examinador, "
        "examinadora, moderador, moderadora, enfermeiro, enfermeira"
    ),
    "nl": (
        "interviewster, arts, dokter, therapeut, therapeute, psycholoog, psychologe, psychiater, onderzoeker, "
        "onderzoekster, hulpverlener, hulpverleenster, behandelaar, verpleegkundige, vragensteller"
    ),
    "pl": (
        "ankieter, ankieterka, lekarz, lekarka, terapeuta, terapeutka, psycholog, psycholożka, psychiatra, badacz, "
        "badaczka, moderatorka, prowadzący, prowadząca, egzaminator, egzaminatorka, osoba prowadząca wywiad"
    ),
    "ru": (
        "интервьюер, врач, доктор, терапевт, психолог, психиатр, психотерапевт, исследователь, экспериментатор, "
        "экзаменатор, модератор, медсестра, клиницист"
    ),
    "uk": "інтерв'юер, інтервʼюер, інтерв’юер, лікар, лікарка, терапевт, психолог, психологиня, психіатр, дослідник, "
    "дослідниця, модератор, модераторка",
    "cs": "tazatel, tazatelka, lékař, lékařka, terapeut, terapeutka, psycholog, psycholožka, psychiatr, psychiatrička, "
    "výzkumník, výzkumnice, moderátor, moderátorka",
    "sk": "opytujúci, tazateľ, lekár, lekárka, terapeut, terapeutka, psychológ, psychologička, psychiater, "
    "výskumník, výskumníčka, moderátor",
    "sl": "izpraševalec, izpraševalka, spraševalec, spraševalka, zdravnik, zdravnica, terapevt, terapevtka, psiholog, "
    "psihologinja, psihiater, raziskovalec, raziskovalka",
    "hr": "ispitivač, ispitivačica, intervjuer, intervjuerka, liječnik, liječnica, terapeut, terapeutkinja, psiholog, "
    "psihologinja, psihijatar, istraživač, istraživačica",
    "sr": "испитивач, интервјуер, лекар, лекарка, терапеут, психолог, психијатар, истраживач, lekar, lekarka",
    "ro": "intervievator, intervievatoare, intervievatorul, medic, medicul, doctorul, terapeut, psiholog, psihiatru, "
    "cercetător, cercetătoare, moderator",
    "hu": "interjúkészítő, kérdező, orvos, terapeuta, pszichológus, pszichiáter, kutató, vizsgáló, vizsgálatvezető, "
    "moderátor",
    "el": "συνεντευκτής, συνεντεύκτρια, συνεντευξιαστής, γιατρός, ιατρός, θεραπευτής, θεραπεύτρια, ψυχολόγος, "
    "ψυχίατρος, ερευνητής, ερευνήτρια, εξεταστής, συντονιστής",
    "bg": "интервюиращ, интервюиращият, лекар, лекарка, терапевт, психолог, психиатър, изследовател, модератор",
    "tr": "görüşmeci, mülakatçı, doktor, hekim, terapist, psikolog, psikiyatrist, araştırmacı, uzman, moderatör",
    "ar": "المحاور, المحاورة, محاور, محاورة, الطبيب, الطبيبة, طبيب, طبيبة, المعالج, المعالجة, معالج, معالجة, "
    "الباحث, الباحثة, باحث, باحثة, الأخصائي, الأخصائية, الدكتور, الدكتورة, دكتور, دكتورة, المقابل",
    "he": "מראיין, מראיינת, המראיין, המראיינת, רופא, רופאה, מטפל, מטפלת, המטפל, המטפלת, פסיכולוג, פסיכולוגית, "
    "פסיכיאטר, פסיכיאטרית, חוקר, חוקרת",
    "fa": "مصاحبه‌گر, مصاحبه گر, مصاحبه‌کننده, مصاحبه کننده, پزشک, دکتر, درمانگر, روانشناس, روان‌شناس, روانپزشک, "
    "روان‌پزشک, پژوهشگر, محقق",
    "ur": "انٹرویو لینے والا, انٹرویو کنندہ, ڈاکٹر, معالج, ماہر نفسیات, محقق",
    "hi": "साक्षात्कारकर्ता, डॉक्टर, चिकित्सक, मनोवैज्ञानिक, मनोचिकित्सक, शोधकर्ता, परीक्षक",
    "bn": "সাক্ষাৎকারগ্রহীতা, সাক্ষাৎকারগ্রহণকারী, সাক্ষাৎকার গ্রহণকারী, ডাক্তার, চিকিৎসক, মনোবিজ্ঞানী, গবেষক",
    "ta": "நேர்காணல் செய்பவர், நேர்காணலாளர், மருத்துவர், உளவியலாளர், ஆய்வாளர்",
    "zh": "采访者, 采访人, 访谈者, 访谈员, 访员, 访问者, 面谈者, 面试官, 主持人, 提问者, 医生, 医师, 治疗师, 咨询师, "
    "心理医生, 心理咨询师, 研究员, 研究者, 主试, 採訪者, 訪談者, 訪談員, 訪員, 醫生, 醫師, 治療師, 諮商師, 心理師, "
    "研究員, 主試, 大夫, 护士",
    "ja": "インタビュアー, インタビュワー, 面接者, 面接官, 聞き手, 聴き手, 質問者, 調査者, 調査員, 医師, 医者, "
    "治療者, セラピスト, カウンセラー, 心理士, 臨床心理士, 精神科医, 研究者, 実験者, 検査者, 司会, 司会者, 看護師",
    "ko": "면접자, 면접관, 인터뷰어, 질문자, 조사자, 조사원, 의사, 치료사, 치료자, 상담사, 상담자, 심리사, 심리학자, "
    "정신과의사, 연구자, 연구원, 실험자, 검사자, 사회자, 진행자, 간호사",
    "vi": "người phỏng vấn, phỏng vấn viên, bác sĩ, nhà trị liệu, nhà tâm lý, chuyên gia tâm lý, nhà nghiên cứu, "
    "nghiên cứu viên, điều tra viên",
    "th": "ผู้สัมภาษณ์, แพทย์, หมอ, คุณหมอ, นักจิตวิทยา, จิตแพทย์, นักบำบัด, ผู้วิจัย, นักวิจัย, ผู้ดำเนินรายการ",
    "id": "pewawancara, dokter, terapis, psikolog, psikiater, peneliti, konselor, pemeriksa",
    "ms": "penemu duga, penemuduga, penemu bual, penemubual, doktor, ahli terapi, ahli psikologi, pakar psikiatri, "
    "penyelidik, kaunselor",
    "tl": "tagapanayam, manggagamot, doktora, sikologo, mananaliksik",
    "sw": "mhojaji, daktari, mtaalamu, mtafiti, mshauri",
    "sv": "intervjuare, intervjuaren, läkare, läkaren, terapeuten, psykolog, psykologen, psykiater, psykiatern, "
    "forskare, forskaren, behandlare, sjuksköterska",
    "da": "interviewer, intervieweren, læge, lægen, psykolog, psykologen, psykiater, behandler, forsker, forskeren",
    "nb": "intervjuer, intervjueren, lege, legen, terapeut, psykolog, psykologen, psykiater, behandler, forsker",
    "fi": "haastattelija, lääkäri, terapeutti, psykologi, psykiatri, tutkija, hoitaja",
    "et": "intervjueerija, küsitleja, arst, terapeut, psühholoog, psühhiaater, uurija",
    "lv": "intervētājs, intervētāja, ārsts, ārste, terapeits, terapeite, psihologs, psiholoģe, psihiatrs, pētnieks, "
    "pētniece",
    "lt": "interviuotojas, interviuotoja, klausėjas, klausėja, gydytojas, gydytoja, terapeutas, terapeutė, "
    "psichologas, psichologė, psichiatras, tyrėjas, tyrėja",
    "ca": "entrevistador, entrevistadora, metge, metgessa, terapeuta, psicòleg, psicòloga, psiquiatre, investigador",
    "eu": "elkarrizketatzaile, elkarrizketatzailea, mediku, medikua, terapeuta, psikologo, psikologoa, ikertzaile",
    "gl": "entrevistador, entrevistadora, médico, médica, terapeuta, psicólogo, psicóloga, psiquiatra, investigador",
    "cy": "cyfwelydd, meddyg, therapydd, seicolegydd, ymchwilydd",
}

PARTICIPANT_WORDS: Mapping[str, str] = {
    "en": "participant, patient, client, subject, interviewee, respondent, informant, par, pt",
    "de": "teilnehmer, teilnehmerin, teilnehmende, patientin, klient, klientin, proband, probandin, befragter, "
    "befragte, befragte person, versuchsperson, studienteilnehmer, studienteilnehmerin, interviewter, interviewte",
    "fr": "participante, patiente, cliente, sujet, interviewé, interviewée, enquêté, enquêtée, répondant, répondante",
    "es": "participante, paciente, cliente, sujeto, entrevistado, entrevistada, informante",
    "it": "partecipante, paziente, cliente, soggetto, intervistato, intervistata",
    "pt": "participante, paciente, cliente, sujeito, entrevistado, entrevistada, utente",
    "nl": "deelnemer, deelneemster, patiënt, patiënte, cliënt, cliënte, geïnterviewde, proefpersoon, respondente",
    "pl": "uczestnik, uczestniczka, pacjent, pacjentka, klient, klientka, badany, badana, respondent, respondentka",
    "ru": "участник, участница, пациент, пациентка, клиент, клиентка, респондент, испытуемый, испытуемая",
    "uk": "учасник, учасниця, пацієнт, пацієнтка, клієнт, клієнтка, респондент, респондентка",
    "cs": "účastník, účastnice, pacient, pacientka, klient, klientka, respondent, dotazovaný, dotazovaná",
    "sk": "účastník, účastníčka, pacient, pacientka, klient, klientka, respondent",
    "sl": "udeleženec, udeleženka, pacient, pacientka, klient, bolnik, bolnica",
    "hr": "sudionik, sudionica, pacijent, pacijentica, klijent, klijentica, ispitanik, ispitanica",
    "sr": "учесник, пацијент, пацијенткиња, клијент, испитаник, испитаница",
    "ro": "participant, participantă, pacient, pacientă, pacientul, client, clientă, intervievat, intervievată",
    "hu": "résztvevő, páciens, beteg, kliens, interjúalany, alany, válaszadó",
    "el": "συμμετέχων, συμμετέχουσα, ασθενής, πελάτης, πελάτισσα, συνεντευξιαζόμενος, συνεντευξιαζόμενη",
    "bg": "участник, участничка, пациент, пациентка, клиент, клиентка, респондент",
    "tr": "katılımcı, hasta, danışan, görüşülen, denek",
    "ar": "المشارك, المشاركة, مشارك, مشاركة, المريض, المريضة, مريض, مريضة, العميل, المستجيب",
    "he": "משתתף, משתתפת, מטופל, מטופלת, המטופל, המטופלת, מרואיין, מרואיינת, נבדק, נבדקת, לקוח",
    "fa": "شرکت‌کننده, شرکت کننده, بیمار, مراجع, مصاحبه‌شونده, مصاحبه شونده",
    "ur": "شریک, مریض, مریضہ, انٹرویو دینے والا",
    "hi": "प्रतिभागी, रोगी, मरीज, मरीज़, उत्तरदाता",
    "bn": "অংশগ্রহণকারী, রোগী, উত্তরদাতা",
    "ta": "பங்கேற்பாளர், நோயாளி",
    "zh": "参与者, 受访者, 被访者, 被访谈者, 被采访者, 患者, 病人, 来访者, 被试, 受试者, 參與者, 受訪者, 來訪者, "
    "受試者",
    "ja": "参加者, 患者, 被験者, 対象者, 協力者, 回答者, クライエント, クライアント, インタビュイー, 被面接者",
    "ko": "참가자, 참여자, 환자, 내담자, 피면접자, 인터뷰이, 응답자, 피험자, 대상자",
    "vi": "người tham gia, bệnh nhân, người được phỏng vấn, khách hàng, thân chủ",
    "th": "ผู้เข้าร่วม, ผู้ป่วย, คนไข้, ผู้ให้สัมภาษณ์, ผู้รับบริการ",
    "id": "peserta, pasien, klien, partisipan, responden, narasumber, informan",
    "ms": "peserta, pesakit, klien, responden",
    "tl": "kalahok, pasyente, kliyente",
    "sw": "mshiriki, mgonjwa, mteja, mhojiwa",
    "sv": "deltagare, deltagaren, patienten, klient, klienten, respondent, intervjuperson",
    "da": "deltager, deltageren, patienten, klient, klienten, respondent, informant",
    "nb": "deltaker, deltakeren, pasient, pasienten, klient, klienten, respondent, informant",
    "fi": "osallistuja, potilas, asiakas, haastateltava, vastaaja",
    "et": "osaleja, patsient, klient, intervjueeritav, vastaja",
    "lv": "dalībnieks, dalībniece, pacients, paciente, klients, kliente, respondents",
    "lt": "dalyvis, dalyvė, pacientas, pacientė, klientas, klientė, respondentas, respondentė",
    "ca": "participant, pacient, client, clienta, entrevistat, entrevistada",
    "eu": "parte-hartzaile, parte-hartzailea, paziente, pazientea, bezero, elkarrizketatu",
    "gl": "participante, paciente, cliente, entrevistado, entrevistada",
    "cy": "cyfranogwr, claf, cleient",
}

TITLES = frozenset(["dr", "drs", "dra", "dott", "dottssa", "prof", "med", "mudr", "phdr", "д-р", "др", "δρ"])
"""Titles before a name, without their full stop: the one who has one is the clinician, unless nobody else is left."""

LETTER_PAIRS = ("ip", "ib", "ir", "is", "tc", "tp", "qa")
"""Labels of one letter, the interviewer's first: they are understood only when a transcript has exactly these two."""
