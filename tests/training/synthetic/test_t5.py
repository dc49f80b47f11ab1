import torch

from training.synthetic.pretraining import mask_tokens
from training.synthetic.t5 import MASK_TOKEN, train_t5_tokenizer

WORDS = ["the river and the hills", "the river runs to the sea", "my sister lives near the sea"]


def test_the_vocabulary_has_at_most_the_requested_size_and_ends_with_the_sentinels():
    tokenizer = train_t5_tokenizer(WORDS * 20, vocabulary=140)
    assert len(tokenizer) <= 140
    assert {f"<extra_id_{number}>" for number in range(100)} <= set(tokenizer.get_vocab())


def test_equal_texts_give_equal_tokenizers():
    files = [train_t5_tokenizer(WORDS * 20, vocabulary=150).backend_tokenizer.to_str() for _ in range(5)]
    assert len(set(files)) == 1


def test_a_sentinel_stands_for_what_is_masked():
    torch.manual_seed(1)
    tokenizer = train_t5_tokenizer(WORDS * 20, vocabulary=160)
    tokens = tokenizer(WORDS * 40, padding=True, return_tensors="pt")["input_ids"]
    masked, targets = mask_tokens(tokens, tokenizer, share=0.5)
    asked = targets != -100
    hidden = masked == tokenizer.convert_tokens_to_ids(MASK_TOKEN)
    assert hidden.any()
    assert not (hidden & ~asked).any()
    assert not (asked & (tokens <= 2)).any()
