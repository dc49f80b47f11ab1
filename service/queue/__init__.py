"""The queue of stages: order, publishing, redelivery, and restarts after a model was replaced."""
