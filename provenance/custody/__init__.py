"""The chain of custody, link by link, and the verdict on it."""
