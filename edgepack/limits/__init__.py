"""What interpreters cannot do with operators that they have: measured, and kept in one table."""
