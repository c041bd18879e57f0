"""Damaged files of every format in the registry: they are read as what they are, or refused by name."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile
from bpetok.formats import FORMATS


@pytest.mark.parametrize("format", FORMATS)
def test_there_are_sound_files(format):
    """A new format is damaged, too: if it cannot be written, add it to `hostile.READ_ONLY`."""
    assert hostile.whole(format)
    for files in hostile.whole(format):
        assert hostile.outcome(files) == "read"


@pytest.mark.parametrize("format", FORMATS)
@given(seed=st.integers(0, 2**32))
def test_damage_is_harmless_or_refused(format, seed):
    for files in itertools.islice(hostile.cases(format, seed), 3):
        hostile.outcome(files)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_is_cut_short_anywhere(format):
    for files in hostile.whole(format):
        for name, data in files.items():
            step = max(1, len(data) // 150)
            for end in [*range(0, len(data), step), *range(max(0, len(data) - 40), len(data))]:
                hostile.outcome({**files, name: data[:end]})
