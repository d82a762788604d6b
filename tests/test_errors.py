"""Of a library's error message, which may be pages long, the most informative line is shown."""

from __future__ import annotations

import pytest

from edgepack.core.errors import reason

STATEFUL = """in user code:

    File "rnn.py", line 396, in call
        raise ValueError(

    ValueError: Exception encountered when calling LSTM.call().

    \x1b[1mIf an RNN is stateful, the batch size must be the same.\x1b[0m

    Arguments received by LSTM.call():
"""

GRAPH = """Graph execution error:

Detected at node loss defined at (most recent call last):
  File "<string>", line 1, in <module>
Received a label value of 7 which is outside the valid range.
\t [[{{node loss}}]]
"""


EAGER = """Exception encountered when calling layer 'embedding' (type Embedding).

{{function_node __wrapped__ResourceGather}} indices[0,0] = 99 [Op:ResourceGather] name:

Call arguments received by layer 'embedding' (type Embedding):
  \N{BULLET} inputs=tf.Tensor(shape=(4, 5), dtype=int32)
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EAGER, "indices[0,0] = 99"),
        (STATEFUL, "If an RNN is stateful, the batch size must be the same."),
        (GRAPH, "Received a label value of 7 which is outside the valid range."),
        (
            "loc(1): error: 'tf.X' op is neither\nnote: called from",
            "loc(1): error: 'tf.X' op is neither",
        ),
        ("in user code:\n\n  TypeError: no such thing\n", "TypeError: no such thing"),
        ("plain", "plain"),
        ("z" * 5000, "z" * 294 + " [...]"),
        ("", "ValueError"),
    ],
)
def test_the_most_informative_line_is_returned(text: str, expected: str) -> None:
    assert reason(ValueError(text)) == expected
