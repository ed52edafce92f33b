"""What a file says of its origin, and whether that can be proved. No numpy, no ONNX."""
