"""Reports as text: for the terminal, as JUnit XML and as GitHub annotations."""
