from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.planted import plant_document
from training.errors import DivergedError, FamilyLeakError, HeldOutDocumentError
from training.fit.guards import refuse_broken_features, refuse_divergence, refuse_overlap


def test_parts_of_other_families_are_accepted():
    refuse_overlap("fold", [plant_document(0)], [plant_document(2)], frozenset({"f9"}))


def test_a_relative_of_a_test_document_is_refused():
    with pytest.raises(HeldOutDocumentError, match="fold: 1 families"):
        refuse_overlap("fold", [plant_document(0)], [], frozenset({"f0"}))


def test_a_relative_among_the_validation_documents_is_refused():
    with pytest.raises(FamilyLeakError, match="split by family"):
        refuse_overlap("fold", [plant_document(0)], [plant_document(1)], frozenset())


def test_the_first_term_that_is_not_finite_is_named():
    terms = {"cka": torch.tensor([0.1, 0.2]), "router_z": torch.tensor([0.1, float("nan")])}
    with pytest.raises(DivergedError, match=r"second, step 7 .*router_z is not finite"):
        refuse_divergence(["first", "second"], 7, torch.tensor([1.0, float("nan")]), terms)


def test_an_infinite_total_is_refused():
    with pytest.raises(DivergedError, match="the weighted total"):
        refuse_divergence(["one"], 1, torch.tensor([float("inf")]), {"cka": torch.tensor([1.0])})


def test_features_that_are_not_finite_are_refused_with_their_places():
    good, bad = plant_document(0), plant_document(1)
    audio = bad.features.audio.copy()
    audio[0, 0] = np.inf
    broken = replace(bad, features=replace(bad.features, audio=audio))
    refuse_broken_features([good, replace(broken, features=replace(broken.features, audio_mask=np.zeros(3, bool)))])
    with pytest.raises(ValueError, match="documents 1"):
        refuse_broken_features([good, broken])
