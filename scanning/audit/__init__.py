"""Many images: walked lazily, examined once by content, remembered, given as rows."""
