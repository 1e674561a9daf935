"""Tables of text."""

from esr_kernels.output.tables import csv_table, markdown_table, text_table

ROWS = [["Model", "team", "ms"], ["span", "XiaomiMM", "5.6"], ["a, b", "", "11.77"]]


def test_text_columns_are_as_wide_as_their_widest_cell():
    assert text_table(ROWS, left=2).splitlines() == [
        "Model  team         ms",
        "span   XiaomiMM    5.6",
        "a, b             11.77",
    ]
    assert text_table([["x", "left"], ["xyz", ""]], left=2).splitlines() == ["x    left", "xyz"]


def test_markdown():
    assert markdown_table(ROWS[:2]) == (
        "| Model | team | ms |\n| --- | ---: | ---: |\n| span | XiaomiMM | 5.6 |\n"
    )


def test_csv_quotes_where_needed():
    assert csv_table(ROWS) == 'Model,team,ms\nspan,XiaomiMM,5.6\n"a, b",,11.77\n'
