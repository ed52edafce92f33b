"""How the pixel models are made: data, laundering, features, heads, export. Needs the `train` extra."""
