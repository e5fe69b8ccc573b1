"""A team's policy as a file that other programs run: torch.export or ONNX."""
