import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairbench.errors import StudyError
from fairbench.toml import line_of, load

DOCUMENT = """\
# a study
title = "x"

numbers = [
  1,
  2,
]
text = '''
[not.a.table]
wrong = 1
'''

[training]  # comment
epochs = 3
inner.deep = 1

[[methods]]
name = "a"

[[methods]]
name = "b"
options = { alpha = 1,
  beta = 2 }
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["title"], 2),
        (["numbers"], 4),
        (["numbers", 1], 4),
        (["text"], 8),
        (["training"], 13),
        (["training", "epochs"], 14),
        (["training", "inner"], 15),
        (["training", "inner", "deep"], 15),
        (["methods", 0, "name"], 18),
        (["methods", 1], 20),
        (["methods", 1, "name"], 21),
        (["training", "absent"], 13),  # the deepest part that exists
        (["absent"], 1),
        (["numbers", 7], 4),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_of(path, line, newline):
    text = DOCUMENT.replace("options = { alpha = 1,\n  beta = 2 }\n", "")
    assert line_of(text.replace("\n", newline), path) == line


KEYS = st.text("abcdefgh_-", min_size=1, max_size=6)
VALUES = st.sampled_from(["1", '"text"', "[1, 2]", "[\n  1,\n\n  2,\n]", "'''\na = 1\n'''"])
GAPS = st.sampled_from(["", "\n", "# comment\n", "\n\n# b = 2\n"])


@given(
    st.lists(
        st.tuples(KEYS, VALUES, GAPS), min_size=1, max_size=6, unique_by=lambda entry: entry[0]
    )
)
def test_line_of_every_key_of_generated_documents(entries):
    text, lines = "", {}
    for key, value, gap in entries:
        text += gap
        lines[key] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    for key, line in lines.items():
        assert line_of(text, [key]) == line


def test_load_reads_a_document_with_byte_order_mark(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert load(path) == {"a": 1}


def test_load_names_the_line_of_a_syntax_error(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text("a = 1\nb = \n")
    with pytest.raises(StudyError, match=r"study.toml is not valid TOML.*line 2") as caught:
        load(path)
    assert str(path) in caught.value.where


def test_load_refuses_what_is_not_utf8(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(StudyError, match="not UTF-8"):
        load(path)


def test_load_says_which_file_is_missing(tmp_path):
    with pytest.raises(StudyError, match=r"cannot read absent.toml: No such file"):
        load(tmp_path / "absent.toml")
