"""Numbers, tables and markup: how reports write what they hold."""
