"""The inbox: bounded, in order, never split, never stuck."""

import threading
import time

from agent.wire import body
from gateway.accept import Message
from gateway.inbox import Delivery, Inbox


def delivery(count, name="t"):
    return Delivery([Message(f"{name}{n}", b"", body.LINK_MQTT, 0) for n in range(count)])


def test_deliveries_come_in_order_and_whole():
    inbox = Inbox(100)
    for n in range(5):
        assert inbox.put(delivery(4, f"{n}-"))
    assert len(inbox) == 20
    first = inbox.take(10, 0, 0)
    assert [d.messages[0].topic for d in first] == ["0-0", "1-0", "2-0"]
    assert sum(len(d.messages) for d in first) == 12, "a delivery was split"
    assert [d.messages[0].topic for d in inbox.take(10, 0, 0)] == ["3-0", "4-0"]
    assert inbox.take(10, 0, 0) == []


def test_a_full_inbox_holds_up_whoever_puts():
    inbox = Inbox(4)
    assert inbox.put(delivery(4))
    done = []
    putter = threading.Thread(target=lambda: done.append(inbox.put(delivery(1, "late"))))
    putter.start()
    time.sleep(0.1)
    assert not done
    assert len(inbox.take(1, 0, 0)) == 1
    putter.join(2)
    assert done == [True]
    assert inbox.take(1, 0, 0)[0].messages[0].topic == "late0"


def test_a_larger_delivery_than_the_inbox_goes_in_once_there_is_room():
    inbox = Inbox(4)
    assert inbox.put(delivery(50))
    assert len(inbox) == 50
    assert len(inbox.take(1, 0, 0)[0].messages) == 50


def test_stopping_lets_everybody_go():
    inbox = Inbox(1)
    inbox.put(delivery(1))
    answers = []
    putter = threading.Thread(target=lambda: answers.append(inbox.put(delivery(1))))
    putter.start()
    time.sleep(0.05)
    inbox.stop()
    putter.join(2)
    assert answers == [False]
    assert len(inbox.take(10, 0, 0)) == 1, "what was in it before is still to be had"
    assert inbox.take(10, 5, 5) == [], "it waited although it is stopping"


def test_it_lingers_for_a_full_batch_and_no_longer():
    inbox = Inbox(100)
    inbox.put(delivery(1))
    late = threading.Timer(0.1, lambda: inbox.put(delivery(1)))
    late.start()
    assert len(inbox.take(2, 5, 5)) == 2
    inbox.put(delivery(1))
    start = time.monotonic()
    assert len(inbox.take(2, 0.05, 5)) == 1
    assert time.monotonic() - start < 2
