"""Plots as SVG, one kind a file: from figures to an ``svg`` element.

Colours come from the page, by classes: a plot is drawn once for light and dark.
"""
