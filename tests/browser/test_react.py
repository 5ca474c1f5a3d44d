"""The React example in a real browser: what the hook tells, and what the model's server sees."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.chat_page import TALE
from browser.react_page import (
    PACKAGES,
    ask,
    build,
    press,
    project,
    run,
    served_by_vite,
    status,
    text,
    visit,
)
from doubles import SECRET, Fault, HttpError, OpenAIDouble, Reply, ToolCall
from example_apps import RunningApp, address, asking, start


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("react") / "project")


def test_the_hook_and_the_page_and_what_the_docs_show_pass_the_strict_compiler(
    tmp_path: Path,
) -> None:
    run(project(tmp_path / "project", *PACKAGES), "tsc")


def test_text_and_reasoning_grow_while_the_model_speaks(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(("Grüße ", "<b>&amp;"), reasoning=("Hm, ", "well"), gated=True))
    visit(page, built, app.url)
    ask(page)
    expect(status(page)).to_have_text("streaming")
    model.release()  # the role
    for thought in ("Hm, ", "Hm, well"):
        model.release()
        expect(page.locator("details p")).to_have_text(thought, use_inner_text=False)
    expect(text(page)).to_be_empty()
    for grown in ("Grüße ", "Grüße <b>&amp;"):
        model.release()
        expect(text(page)).to_have_text(grown, use_inner_text=False)
        expect(status(page)).to_have_text("streaming")
    model.release(3)  # finish, usage, [DONE]
    expect(status(page)).to_have_text("done")


def test_a_tool_call_is_put_together_from_its_pieces(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    second = ToolCall("get_time", ("{", "}"), "call_2")
    model.queue(Reply((), tool_calls=(ToolCall(), second)))
    visit(page, built, app.url)
    ask(page)
    expect(status(page)).to_have_text("done (tool_calls)")
    expect(page.locator("code")).to_have_text(['get_weather({"city": "Oslo"})', "get_time({})"])


def test_stop_keeps_the_text_and_ends_the_source_and_the_question_can_be_asked_again(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    saved = app.saved_count()
    model.queue(TALE)
    visit(page, built, app.url)
    ask(page)
    expect(text(page)).to_have_text("Once upon")
    press(page, "Stop")
    assert model.requests[-1].wait_hangup().amid_answer
    expect(status(page)).to_have_text("stopped")
    expect(text(page)).to_have_text("Once upon")
    assert app.saved(saved + 1)["ending"] == "gone"
    press(page, "Try again")
    expect(status(page)).to_have_text("done")
    expect(text(page)).to_have_text("Hello, world")


def test_a_second_question_stops_the_first_whose_words_are_not_mixed_with_its_own(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(TALE, Reply(gated=True))
    visit(page, built, app.url)
    ask(page, "Tell")
    expect(text(page)).to_have_text("Once upon")
    first = model.requests[-1]
    ask(page, "And now?")
    assert first.wait_hangup().amid_answer
    model.release(2)  # the role, and the first token
    expect(text(page)).to_have_text("Hello")
    expect(status(page)).to_have_text("streaming")
    model.release(5)  # two tokens, finish, usage, [DONE]
    expect(status(page)).to_have_text("done")
    expect(text(page)).to_have_text("Hello, world")


def test_a_failure_tells_its_words_and_keeps_the_text_and_retry_begins_anew(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Fault()}))
    visit(page, built, app.url)
    ask(page, "Tell")
    expect(status(page)).to_contain_text("error: ")
    expect(text(page)).to_have_text("Hello")
    assert SECRET not in page.content()
    press(page, "Try again")
    expect(status(page)).to_have_text("done")
    expect(text(page)).to_have_text("Hello, world")
    assert [one.json()["messages"][-1]["content"] for one in model.requests[-2:]] == ["Tell"] * 2


def test_a_refusal_is_an_error_too_and_can_be_asked_again(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(HttpError(401))
    visit(page, built, app.url)
    ask(page)
    # Starlette's refusal tells its words; Flask's is a page of HTML, which has a status line only.
    expect(status(page)).to_have_text(re.compile("^error: .*(credentials|502 BAD GATEWAY)"))
    expect(text(page)).to_be_empty()
    press(page, "Try again")
    expect(text(page)).to_have_text("Hello, world")


def test_what_is_vain_to_repeat_is_not_offered(page: Page, built: Path, app: RunningApp) -> None:
    visit(page, built, app.url)
    page.route("**/chat", lambda route: route.fulfill(status=403, json={"detail": "Not you."}))
    ask(page)
    expect(status(page)).to_have_text("error: Not you.")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)


@pytest.mark.parametrize("name", ["flask", "starlette"])
def test_an_answer_whose_server_dies_is_cut_not_done(
    page: Page, built: Path, model: OpenAIDouble, name: str, tmp_path: Path
) -> None:
    model.queue(TALE)
    with start(name, asking(model, tmp_path)) as process:
        try:
            visit(page, built, address(process))
            ask(page)
            expect(text(page)).to_have_text("Once upon")
        finally:
            process.kill()
    expect(status(page)).to_contain_text("cut: ")
    expect(text(page)).to_have_text("Once upon")


# -- mounting -------------------------------------------------------------------------------------


def test_strict_modes_double_mount_asks_once(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    asked, before = [], len(model.requests)
    page.on("request", lambda request: request.method == "POST" and asked.append(request.url))
    visit(page, built, app.url, "react_probe")
    expect(status(page)).to_have_text("done: Hello, world")
    assert (len(asked), len(model.requests)) == (1, before + 1)


def test_unmounting_ends_the_source(
    page: Page, built: Path, app: RunningApp, model: OpenAIDouble
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    model.queue(TALE)
    visit(page, built, app.url, "react_probe")
    expect(status(page)).to_have_text("streaming: Once upon")
    press(page, "Unmount")
    assert model.requests[-1].wait_hangup().amid_answer
    expect(status(page)).to_have_count(0)
    assert [line for line in said if "React DevTools" not in line] == []


# -- Vite -----------------------------------------------------------------------------------------


def test_behind_vites_proxy_tokens_come_one_by_one_and_stop_ends_the_source(
    page: Page, app: RunningApp, model: OpenAIDouble, tmp_path: Path
) -> None:
    with served_by_vite(tmp_path / "project", app.url) as url:
        page.goto(url)
        model.queue(TALE)
        ask(page)
        expect(text(page)).to_have_text("Once upon")
        press(page, "Stop")
        assert model.requests[-1].wait_hangup().amid_answer
        expect(status(page)).to_have_text("stopped")
