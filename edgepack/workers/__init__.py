"""Worker processes: where TensorFlow, interpreters and decoders run, because they crash."""
