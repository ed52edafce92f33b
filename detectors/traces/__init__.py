"""Traces that cameras, encoders and deliveries leave: weak and contextual, they inform and never decide."""
