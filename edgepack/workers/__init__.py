"""Worker processes, which isolate TensorFlow, interpreters and decoders because they may crash."""
