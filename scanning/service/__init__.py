"""The upload-scanning service: the same scanner behind HTTP, its page, its jobs; the only room of the web framework."""
