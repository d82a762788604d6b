"""Reports: data first, then text and pages."""
