"""Plots as SVG, one kind per file: functions from figures to an ``svg`` element.

Colors come from the page's style sheet, by class, so that a plot fits light and dark pages.
"""
