"""Ctrl-C waits for what must be whole, and one that Python forgets is raised again."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from fairbench.execute.interrupt import check_interrupt, heeded, held, starting


@pytest.fixture(autouse=True)
def _hear_interrupts():
    """A shell may have started the tests with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_is_raised_at_once_where_nothing_holds_it():
    with heeded(), pytest.raises(KeyboardInterrupt):
        interrupt()


@pytest.mark.parametrize("holding", [held, starting])
def test_it_waits_for_what_must_be_whole(holding):
    done = []

    def work() -> None:
        with holding():
            with holding():
                interrupt()
                done.append("inner")
            done.append("outer")
        done.append("never")

    with heeded():
        with pytest.raises(KeyboardInterrupt):
            work()
        with holding():  # such as the end of all workers: not torn by what has been raised
            done.append("later")
    assert done == ["inner", "outer", "later"]


def test_a_second_one_waits_no_longer():
    done = []

    def work() -> None:
        with held():
            interrupt()
            done.append("once")
            interrupt()
            done.append("never")

    with heeded(), pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["once"]


def test_the_error_of_a_held_block_comes_first():
    def work() -> None:
        with held():
            interrupt()
            raise ValueError("mine")

    with heeded(), pytest.raises(ValueError, match="mine"):
        work()


def test_one_that_a_finaliser_swallowed_is_raised_again(monkeypatch):
    class Swallowing:
        def __del__(self) -> None:
            interrupt()

    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_type))
    with heeded():
        check_interrupt()
        Swallowing()
        assert seen == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            check_interrupt()
    check_interrupt()


def test_handlers_of_others_stay():
    usual = signal.getsignal(signal.SIGINT)
    with heeded():
        assert signal.getsignal(signal.SIGINT) != usual
    assert signal.getsignal(signal.SIGINT) == usual

    calls: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        with heeded():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, usual)
    assert calls == [signal.SIGINT]


def test_a_run_in_another_thread_leaves_signals_alone():
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with heeded(), held():
                check_interrupt()
        except BaseException as error:  # whatever it is, the test has to know
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
