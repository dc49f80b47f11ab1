"""Task messages over Celery: they wake workers, and the database remains the source of truth."""
