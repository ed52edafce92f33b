"""What speaks for a synthetic origin: signals, pixel classifiers, calibration."""
