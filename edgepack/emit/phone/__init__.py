"""Files for phone apps: the model with TFLite metadata, and classes in Kotlin and Swift."""
