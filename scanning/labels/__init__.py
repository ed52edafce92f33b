"""A platform's labels: rules as data map what is known of an image to what is shown beside it, with the reason."""
