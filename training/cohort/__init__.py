"""Cohorts: labelled recordings described by a manifest, and the checks of a manifest."""
