"""The page: a document of blocks, written as HTML or Markdown.

Sections make blocks of a report (:mod:`edgepack.report.sections`), plots make figures
(:mod:`edgepack.report.plots`); neither knows how a page looks.
"""
