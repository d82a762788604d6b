"""Documents: pages made of blocks, and their writers for HTML and Markdown.

The blocks come from sections (:mod:`edgepack.report.sections`) and plots
(:mod:`edgepack.report.plots`), which do not depend on the output format.
"""
