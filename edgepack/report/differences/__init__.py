"""The figures of a report, each with what it is and which way is better."""
