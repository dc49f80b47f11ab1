"""A small grammar of interview answers with planted wording.

Tests check that the system detects the planted wording. The wording is an artificial marker of a synthetic class, easy
to recognise and harmless to read. It is not a finding about people and not a description of any disorder. A sentence is
a template whose slots are filled from word lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

OUTCOMES = ("none", "depressive", "bipolar", "psychotic")
"""Outcomes of the task `spectrum`, in the order of their labels."""

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic with questions of the interviewer and plain answers."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]


WORDS: Mapping[str, tuple[str, ...]] = {
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "the weekend", "Sunday morning"),
    "when": ("most evenings", "now and then", "on some days", "after lunch", "in the morning", "last week"),
    "relative": ("sister", "brother", "mother", "father", "cousin", "aunt", "uncle", "neighbour"),
    "person": ("a friend", "my neighbour", "a colleague", "my sister", "an old classmate", "my cousin"),
    "place": ("the river", "the market", "the old town", "the library", "the coast", "the park", "the hills"),
    "city": ("Lisbon", "Halifax", "Vienna", "Glasgow", "Boston", "Bergen", "Montreal"),
    "job": ("the office", "the shop", "the school", "the workshop", "the hospital kitchen", "the warehouse"),
    "task": ("the monthly report", "the new schedule", "a delivery", "the inventory", "two small repairs"),
    "meal": ("soup", "rice and beans", "a stew", "pasta", "roast vegetables", "pancakes", "a salad"),
    "drink": ("tea", "coffee", "a glass of milk", "some water", "apple juice"),
    "weather": ("rainy", "windy", "cold", "bright", "warm", "foggy", "mild"),
    "hobby": ("reading", "gardening", "swimming", "painting", "chess", "cycling", "baking"),
    "hour": ("six", "seven", "half past seven", "eight", "nine", "ten", "eleven"),
    "number": ("two", "three", "four", "five", "six"),
    "thing": ("the kitchen shelf", "a bicycle", "the garden fence", "an old radio", "the photo album"),
    "mild": ("quite nice", "all right", "pleasant enough", "a bit busy", "fairly calm", "rather ordinary"),
    "low": ("hopeless", "empty", "worthless", "heavy", "miserable", "exhausted", "numb"),
    "never": ("never", "absolutely never", "not ever"),
    "always": ("always", "constantly", "completely", "entirely"),
    "high": ("brilliant", "unstoppable", "electric", "enormous", "incredible", "magnificent"),
    "venture": ("three companies", "a film studio", "an airline", "a new language", "a bridge to Iceland"),
    "many": ("fifty", "a hundred", "two hundred", "a thousand"),
    "odd": ("lantern", "copper", "Tuesday", "violin", "salt", "window", "compass", "feather"),
    "verb": ("whispers", "remembers", "counts", "unfolds", "borrows", "answers"),
}

TOPICS: tuple[Topic, ...] = (
    Topic(
        questions=("How was your week?", "What did you do this week?", "Can you tell me about your week?"),
        answers=(
            "On {day} we went to {place} with {person}.",
            "The week was {mild}, and {when} I repaired {thing}.",
            "I met {person} on {day} and we talked for a while.",
            "I spent {day} at {job} and the rest of the week at home.",
            "Nothing much happened, it was {mild}.",
        ),
    ),
    Topic(
        questions=("How have you been sleeping?", "What time do you usually go to bed?"),
        answers=(
            "I usually go to bed at {hour} and get up at {hour}.",
            "I sleep about {number} hours and then I read a little.",
            "The nights are {mild}, apart from the noise in the street.",
            "I drink {drink} before bed and that helps.",
            "On {day} I slept in until {hour}.",
        ),
    ),
    Topic(
        questions=("Tell me about your work.", "What is a normal day at work like?"),
        answers=(
            "At {job} we finished {task} on {day}.",
            "There are {number} of us at {job}, and the days are {mild}.",
            "My colleague showed me {task}, which took until {hour}.",
            "I start at {hour} and have lunch with {person}.",
            "They asked me to help with {task} next {day}.",
        ),
    ),
    Topic(
        questions=("Who is in your family?", "Do you see your family often?"),
        answers=(
            "My {relative} lives near {place} and visits {when}.",
            "I have {number} cousins, and my {relative} is the eldest.",
            "My {relative} called on {day} to ask about {thing}.",
            "We had {meal} at the table with my {relative}.",
            "My {relative} likes {hobby}, so we do that together.",
        ),
    ),
    Topic(
        questions=("What are your plans for the next months?", "Is there something you look forward to?"),
        answers=(
            "We may go to {city} for {number} days.",
            "I would like to start {hobby} again {when}.",
            "The plan is to fix {thing} before the winter.",
            "On {day} there is a small party at {place}.",
            "I might take a course in {hobby} with {person}.",
        ),
    ),
    Topic(
        questions=("What do you like to eat?", "How is your appetite?"),
        answers=(
            "I cook {meal} {when}, and sometimes {meal}.",
            "For breakfast there is toast and {drink}.",
            "We bought bread at {place} and made {meal}.",
            "My {relative} taught me to make {meal}.",
            "I eat at {hour}, usually {meal} with {drink}.",
        ),
    ),
    Topic(
        questions=("How is the weather where you live?", "Do you get outside much?"),
        answers=(
            "It has been {weather} since {day}.",
            "When it is {weather} I walk to {place}.",
            "The garden likes the {weather} days.",
            "Yesterday was {weather}, so we stayed in and had {drink}.",
            "I take the bicycle to {job} unless it is {weather}.",
        ),
    ),
    Topic(
        questions=("Have you travelled recently?", "Where would you like to travel?"),
        answers=(
            "We took the train to {city} on {day}.",
            "In {city} it was {weather} and the streets were {mild}.",
            "My {relative} moved to {city} {number} years ago.",
            "I would like to see {city} and then {place}.",
            "The journey took {number} hours and I was {hobby} on the way.",
        ),
    ),
)

MARKED: Mapping[str, tuple[str, ...]] = {
    "depressive": (
        "I feel {low}, and I {never} manage anything.",
        "I blame myself, everything I do is {always} wrong.",
        "Nothing helps me, I am {always} {low}.",
        "I stayed in bed on {day} because I felt {low} and alone.",
        "I cannot enjoy {hobby}, it all feels {low} to me.",
        "My {relative} worries, but I am just {low} and tired of myself.",
        "I cried {when}, and I {never} know why.",
    ),
    "bipolar": (
        "I am going to found {venture} by {day}, it will be {high}.",
        "I wrote {many} pages in one night, and they are {high}.",
        "Anyway, forget that, {city} is waiting and I feel {high}.",
        "I bought {number} bicycles, and {many} people want to join me.",
        "I hardly need sleep, my ideas are {high} and so fast.",
        "And then, quick, I also planned {venture} and {venture}.",
        "Everyone says I am {high}, I told {many} of them.",
    ),
    "psychotic": (
        "The {odd} {verb} the {odd} when I pass {place}.",
        "There is a message for me in {thing}, the {odd} {verb} it.",
        "They put the {odd} inside {day}, and so {city} {verb}.",
        "My thoughts were taken by the {odd}, it {verb} at {hour}.",
        "The {odd} means {weather}, because the {odd} {verb} backwards.",
        "Somebody behind {place} {verb} my name to the {odd}.",
        "It is {number} and {number}, the {odd} agrees with the {odd}.",
    ),
}

OPENERS = ("Well, ", "So, ", "Um, ", "I think, ", "Let me see, ", "Hmm, ")


OPENER_RATE = 0.5
"""Share of answers that begin with an opener."""


def fill(template: str, rng: np.random.Generator) -> str:
    """The template with each slot replaced by a word drawn from its list."""
    return _SLOT.sub(lambda slot: _draw(WORDS[slot[1]], rng), template)


def ask(topic: Topic, rng: np.random.Generator) -> str:
    """A random question of the interviewer."""
    return _draw(topic.questions, rng)


def answer(topic: Topic, marker_rates: Mapping[str, float], rng: np.random.Generator) -> tuple[str, ...]:
    """Three to six sentences on a topic.

    `marker_rates` gives the probability that a sentence is drawn from the planted wording of each outcome. All other
    sentences are plain answers of the topic.
    """
    sentences = [_sentence(topic, marker_rates, rng) for _ in range(int(rng.integers(3, 7)))]
    if rng.random() < OPENER_RATE:
        opener = _draw(OPENERS, rng)
        first = sentences[0]
        sentences[0] = opener + (first if first.startswith("I ") else first[0].lower() + first[1:])
    return tuple(sentences)


def _sentence(topic: Topic, marker_rates: Mapping[str, float], rng: np.random.Generator) -> str:
    drawn = rng.random()
    for outcome, rate in marker_rates.items():
        if drawn < rate:
            return fill(_draw(MARKED[outcome], rng), rng)
        drawn -= rate
    return fill(_draw(topic.answers, rng), rng)


def _draw(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
