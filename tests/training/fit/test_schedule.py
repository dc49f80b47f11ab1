import pytest

from model.network.losses.settings import TermSwitches
from training.config import TrainerSettings
from training.fit.schedule import plan_phases


def test_joint_training_is_one_phase_with_every_term():
    (phase,) = plan_phases(TrainerSettings(steps=40), TermSwitches(), ["spectrum"])
    assert (phase.first, phase.end, phase.loss_terms, phase.trainable) == (0, 40, None, "")


def test_staged_training_aligns_first_and_then_trains_the_classifier():
    settings = TrainerSettings(steps=40, mode="staged", alignment_share=0.25)
    alignment, head = plan_phases(settings, TermSwitches(cka=False), ["spectrum"])
    assert (alignment.first, alignment.end, head.first, head.end) == (0, 10, 10, 40)
    assert alignment.loss_terms == {"audio_to_joint", "text_to_joint", "information_balance"}
    assert head.loss_terms == {"spectrum", "router_load", "router_z"}
    assert head.trainable == "network.classifier."


def test_staged_training_without_an_embedding_term_is_refused():
    off = TermSwitches(audio_to_joint=False, text_to_joint=False, cka=False, information_balance=False)
    with pytest.raises(ValueError, match="switch one of them on"):
        plan_phases(TrainerSettings(mode="staged"), off, ["spectrum"])
