"""What answers when a stored network is asked: numpy and onnxruntime, nothing that can train."""
