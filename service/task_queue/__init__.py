"""The publisher: Celery tells workers which stage to look at; the database alone knows the truth."""
