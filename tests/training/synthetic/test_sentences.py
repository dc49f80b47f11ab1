import re

import numpy as np

from training.synthetic.sentences import MARKED, OUTCOMES, TOPICS, WORDS, answer, ask, fill


def every_template():
    for topic in TOPICS:
        yield from topic.answers
    for templates in MARKED.values():
        yield from templates


def test_every_slot_has_words():
    slots = {slot for template in every_template() for slot in re.findall(r"\{(\w+)\}", template)}
    assert slots == set(WORDS)


def test_every_outcome_except_none_has_planted_phrases():
    assert tuple(MARKED) == OUTCOMES[1:]


def test_a_filled_template_has_no_slot_left():
    chance = np.random.default_rng(1)
    assert not any("{" in fill(template, chance) for template in every_template())


def test_the_grammar_makes_hundreds_of_different_sentences():
    chance = np.random.default_rng(2)
    said = {sentence for topic in TOPICS for _ in range(40) for sentence in answer(topic, {}, chance)}
    assert len(said) > 400


def test_an_answer_has_three_to_six_sentences():
    chance = np.random.default_rng(3)
    assert {len(answer(TOPICS[0], {}, chance)) for _ in range(60)} == {3, 4, 5, 6}


def test_planted_phrases_occur_at_the_requested_rate():
    chance = np.random.default_rng(4)
    said = [s for _ in range(300) for s in answer(TOPICS[1], {"depressive": 0.0, "psychotic": 0.4}, chance)]
    patterns = [
        re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(template)), re.IGNORECASE) for template in MARKED["psychotic"]
    ]
    share = np.mean([any(pattern.search(sentence) for pattern in patterns) for sentence in said])
    assert 0.34 < share < 0.46


def test_the_interviewer_asks_about_the_topic():
    assert ask(TOPICS[2], np.random.default_rng(5)) in TOPICS[2].questions
