"""Assessments: states, repository, stages and their lifecycle."""
