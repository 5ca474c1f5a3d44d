"""What pages elsewhere, and names that lead here, try in order to spend the examples' model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from doubles import OpenAIDouble
from example_apps import APPS, RunningApp, running

QUESTION = {"prompt": "Hi"}
ASKING = ("/chat", "/v1/chat/completions")
BODIES = {path: {"messages": [{"role": "user", "content": "Hi"}]} for path in ASKING}
EVIL, FRIEND, NAME = "http://evil.example", "https://chat.example", "model.example"


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture(scope="module")
def settings(model: OpenAIDouble) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-double"}


@pytest.fixture(scope="module", params=APPS)
def app(
    request: pytest.FixtureRequest,
    settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningApp]:
    """An example app as it is copied: no variable says who else may ask."""
    with running(request.param, tmp_path_factory.mktemp(request.param), settings) as running_app:
        yield running_app


@pytest.fixture
def client(app: RunningApp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=10) as client:
        yield client


@pytest.fixture
def _model_is_not_asked(model: OpenAIDouble) -> Iterator[None]:
    asked_before = len(model.requests)
    yield
    assert len(model.requests) == asked_before


unasked = pytest.mark.usefixtures("_model_is_not_asked")


# -- pages elsewhere ------------------------------------------------------------------------------


@unasked
@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_image_of_a_page_elsewhere_asks_nothing(
    client: httpx.Client, method: str, path: str
) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    answer = client.request(method, path, params=QUESTION, headers=sent)
    assert answer.status_code == 405


@unasked
@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_json_under_a_media_type_that_any_page_may_send_asks_nothing(
    client: httpx.Client, path: str, kind: str | None
) -> None:
    sent = {"Content-Type": kind} if kind else {}
    answer = client.post(path, content=json.dumps(BODIES[path]), headers=sent)
    assert answer.status_code == 415


@unasked
@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "made-up"])
def test_a_page_elsewhere_is_known_by_what_its_browser_says_of_it(
    client: httpx.Client, path: str, site: str
) -> None:
    sent = {"Sec-Fetch-Site": site, "Origin": EVIL}
    assert client.post(path, json=BODIES[path], headers=sent).status_code == 403
    assert client.post(path, json=BODIES[path], headers={"Sec-Fetch-Site": site}).is_error


@unasked
@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize(
    "origin",
    [EVIL, "null", "http://127.0.0.1", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "?"],
)
def test_a_page_elsewhere_is_known_by_its_origin_where_the_browser_is_old(
    client: httpx.Client, path: str, origin: str
) -> None:
    answer = client.post(path, json=BODIES[path], headers={"Origin": origin})
    assert answer.status_code == 403


@unasked
@pytest.mark.parametrize("path", ["/", "/fetch-sse.js", "/chat", "/v1/chat/completions"])
def test_no_page_elsewhere_may_read_an_answer(client: httpx.Client, path: str) -> None:
    for origin in (EVIL, "null", FRIEND):
        answers = [
            client.get(path, headers={"Origin": origin}),
            client.post(path, json=QUESTION, headers={"Origin": origin}),
            preflight(client, path, origin),
        ]
        for answer in answers:
            assert "access-control-allow-origin" not in answer.headers


def test_no_page_elsewhere_may_show_the_chat_under_a_button_of_its_own(
    client: httpx.Client,
) -> None:
    policy = client.get("/?prompt=Hi").headers["content-security-policy"]
    assert policy == "frame-ancestors 'none'"


def preflight(client: httpx.Client, path: str, origin: str) -> httpx.Response:
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return client.options(path, headers=asks)


# -- names that lead here -------------------------------------------------------------------------


@unasked
@pytest.mark.parametrize(
    "name",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:{port}"],
)
def test_a_name_that_was_rebound_to_this_machine_is_not_served(
    client: httpx.Client, name: str
) -> None:
    host = name.format(port=client.base_url.port)
    # To the browser it is one origin, before and after.
    sent = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/chat", json=QUESTION, headers=sent).status_code == 400
    assert client.get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
def test_the_names_of_this_machine_are_served(client: httpx.Client, name: str) -> None:
    for host in (name, f"{name}:{client.base_url.port}"):
        assert client.post("/chat", json=QUESTION, headers={"Host": host}).is_success


# -- bodies ---------------------------------------------------------------------------------------


@unasked
@pytest.mark.parametrize("path", ASKING)
def test_a_question_of_more_than_a_mebibyte_is_refused(client: httpx.Client, path: str) -> None:
    long = json.dumps({"messages": [{"role": "user", "content": "a" * (1 << 20)}]}).encode()
    sent = {"Content-Type": "application/json"}
    assert client.post(path, content=long, headers=sent).status_code == 413
    in_pieces = (long[start : start + 4096] for start in range(0, len(long), 4096))
    assert client.post(path, content=in_pieces, headers=sent).status_code == 413


@unasked
@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize(
    "body",
    [
        {"prompt": {"$ne": None}},
        {"prompt": ["Hi"]},
        {"prompt": 1},
        {"prompt": True},
        {"prompt": None},
        {"messages": "Hi"},
        {"messages": ["Hi"]},
        {"messages": {"role": "user"}},
        {"messages": [{"role": "user", "content": "Hi"}, None]},
    ],
)
def test_what_is_no_question_does_not_reach_the_model(
    client: httpx.Client, path: str, body: object
) -> None:
    assert client.post(path, json=body).status_code in (400, 422)


@unasked
@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"prompt":' * 50_000, b'{"prompt":"\xff"}'])
def test_a_body_that_json_cannot_be_read_from_is_the_clients_fault(
    client: httpx.Client, path: str, body: bytes
) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


# -- whom the operator names ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=APPS)
def opened(
    request: pytest.FixtureRequest,
    settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """An example app that a front end elsewhere may ask, and that is reached by another name."""
    more = {"ALLOWED_ORIGINS": f"{FRIEND} http://b.example", "ALLOWED_HOSTS": NAME}
    folder: Path = tmp_path_factory.mktemp(request.param)
    with (
        running(request.param, folder, settings | more) as running_app,
        httpx.Client(base_url=running_app.url, timeout=10) as client,
    ):
        yield client


def test_a_front_end_that_the_operator_names_may_ask_and_read(opened: httpx.Client) -> None:
    asks = preflight(opened, "/chat", FRIEND)
    assert asks.is_success
    assert asks.headers["access-control-allow-origin"] == FRIEND
    assert asks.headers["access-control-allow-headers"] == "authorization,content-type"
    sent = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}
    answer = opened.post("/chat", json=QUESTION, headers=sent)
    assert answer.is_success
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "Origin" in answer.headers["vary"]


def test_a_front_end_that_the_operator_names_reads_why_it_is_refused(opened: httpx.Client) -> None:
    answer = opened.post("/chat", content="Hi", headers={"Origin": FRIEND})
    assert answer.status_code == 415
    assert answer.headers["access-control-allow-origin"] == FRIEND


@unasked
def test_no_other_is_let_in_beside_the_one_that_is_named(opened: httpx.Client) -> None:
    for origin in (EVIL, f"{FRIEND}.evil.example", "http://chat.example", "null", ""):
        sent = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        answer = opened.post("/chat", json=QUESTION, headers=sent)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-origin" not in preflight(opened, "/chat", origin).headers
    strange = opened.post("/chat", json=QUESTION, headers={"Host": f"evil.{NAME}"})
    assert strange.status_code == 400


def test_a_name_of_the_operators_is_served_and_is_one_origin_with_its_pages(
    opened: httpx.Client,
) -> None:
    own = {"Host": f"{NAME}:8080", "Origin": f"https://{NAME}:8080"}
    assert opened.post("/chat", json=QUESTION, headers=own).is_success
