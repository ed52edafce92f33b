"""The generation wrapper: every output of an image generator leaves signed."""
