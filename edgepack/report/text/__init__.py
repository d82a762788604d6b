"""Reports as text: for the terminal, for JUnit and for GitHub."""
