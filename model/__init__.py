"""From a recording to an assessment; knows no web, queue, database or cloud."""
