"""What an app on a phone takes: the model with metadata, and code in Kotlin and Swift."""
