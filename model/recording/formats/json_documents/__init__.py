"""JSON of speech recognisers and our own JSON of utterances."""
