"""One image for court or print: everything known of it on paper, sealed, and checkable years later without a network."""
