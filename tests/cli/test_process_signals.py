"""SIGTERM and SIGHUP end a search as Ctrl-C does."""

from __future__ import annotations

import signal

import pytest

from keras_symgrad.cli.process_signals import signals_as_ctrl_c
from keras_symgrad.search.core import deferred_interrupts


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_does_what_ctrl_c_does(name):
    number = getattr(signal, name)
    with signals_as_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        with deferred_interrupts() as interrupts:
            interrupts.armed = True
            signal.raise_signal(number)
            assert interrupts.presses == 1
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_as_ctrl_c():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
