"""Both kinds of evidence together: one image, a folder, a bucket, an upload; one verdict, many presenters."""
