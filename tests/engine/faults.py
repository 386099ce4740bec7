"""What can happen to a request on its way, for the schedule of the fault proxy."""

import json
import threading
import time

from tests.engine.fault_proxy import Exchange, Fault, passed_on


def cut_before(exchange: Exchange) -> None:
    """The request never arrives."""
    exchange.cut()


def cut_after(exchange: Exchange) -> None:
    """It arrives and is done; nobody hears of it."""
    exchange.forward()
    exchange.cut()


def halved(exchange: Exchange) -> None:
    answer = exchange.forward()
    exchange.answer(answer.status, answer.body, answer.headers, sent=len(answer.body) // 2)


def cut_in_a_chunk(exchange: Exchange) -> None:
    answer = exchange.forward()
    exchange.handler.send_response(answer.status)
    exchange.handler.send_header("Content-Type", "application/json")
    exchange.handler.send_header("Transfer-Encoding", "chunked")
    exchange.handler.end_headers()
    exchange.handler.wfile.write(b"%x\r\n%s" % (len(answer.body), answer.body[:-5]))
    exchange.cut()


def half_json(exchange: Exchange) -> None:
    """Whole by its length, and yet not."""
    answer = exchange.forward()
    exchange.answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers)


def page_of_a_proxy(exchange: Exchange) -> None:
    exchange.answer(200, b"<html><h1>Sign in</h1></html>", {"Content-Type": "text/html"})


def lost_by_a_proxy(exchange: Exchange) -> None:
    """A 404 that is not the API server's says nothing about the object."""
    exchange.answer(404, b"<html>no backend</html>", {"Content-Type": "text/html"})


def someone_else(exchange: Exchange) -> None:
    """The answer to another question."""
    answer = exchange.forward()
    told = json.loads(answer.body)
    if isinstance(told.get("metadata"), dict):
        told["metadata"]["name"] = "someone-else"
    told["kind"] = told["kind"].removesuffix("List") if "items" in told else told.get("kind")
    exchange.answer(answer.status, json.dumps(told).encode(), answer.headers)


def past(exchange: Exchange) -> None:
    """What the first such read was answered, however long ago."""
    answer = exchange.handler.server.past.get(exchange.path) if exchange.method == "GET" else None
    answer = answer or exchange.forward()
    exchange.answer(answer.status, answer.body, answer.headers)


def status(code: int, retry_after: int | None = None) -> Fault:
    """The API server's own refusal, not forwarded."""

    def refuse(exchange: Exchange) -> None:
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "message": f"told to say {code}",
        }
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        exchange.answer(code, json.dumps(body).encode(), headers)

    return refuse


def late(forwarded: threading.Event, go_on: threading.Event) -> Fault:
    """On its way for a long time: the client has given up long before it arrives."""

    def hold(exchange: Exchange) -> None:
        go_on.wait(30)
        exchange.forward()
        exchange.cut()
        forwarded.set()

    return hold


def delayed(seconds: float, then: Fault = passed_on) -> Fault:
    def wait(exchange: Exchange) -> None:
        time.sleep(seconds)
        then(exchange)

    return wait
