"""Admission: who may submit now, and when each client is done."""
