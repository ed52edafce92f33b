"""Presenters: a report as a document, as JSON, in a terminal, as a page."""
