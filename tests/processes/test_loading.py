"""Imports without the garbage collector."""

import gc

import pytest

from skin_tune.processes.loading import quick_imports


def test_the_collector_rests_while_libraries_load_and_works_afterwards():
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
