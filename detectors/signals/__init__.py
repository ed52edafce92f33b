"""One small unit each; the registry below is the order in which they are asked."""
