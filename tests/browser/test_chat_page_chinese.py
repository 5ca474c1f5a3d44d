"""The chat page of the examples in Chinese: for whom the browser says so, and by the page's own switch."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.chat_page import visit_and_ask
from doubles import Fault, OpenAIDouble, Reply, Stall
from example_apps import RunningApp


@pytest.fixture
def chinese(browser: Browser) -> Iterator[Page]:
    with browser.new_page(locale="zh-CN") as page:
        page.set_default_timeout(20_000)
        yield page


def ask(page: Page, question: str) -> None:
    page.get_by_label("输入消息").fill(question)
    page.get_by_role("button", name="发送").click()


def language(page: Page) -> Any:
    return expect(page.locator("html"))


def test_a_browser_in_chinese_sees_chinese_and_every_name_is_chinese(
    chinese: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(("好的",), reasoning=("嗯",), at={3: Stall()}))
    chinese.goto(app.url)
    language(chinese).to_have_attribute("lang", "zh-CN")
    expect(chinese).to_have_title("sse-bridge 聊天")
    expect(chinese.get_by_placeholder("输入消息")).to_be_visible()
    ask(chinese, "讲个故事")
    expect(chinese.get_by_text("好的")).to_be_visible()
    expect(chinese.locator("body")).to_match_aria_snapshot("""
      - banner:
        - heading "sse-bridge" [level=1]
        - paragraph: 逐字输出的聊天
        - button "English"
      - main:
        - log "对话":
          - article "你": 讲个故事
          - article "回答":
            - group: 思考过程
            - paragraph: 好的
            - paragraph: /正在回答 首个 token 用时/
        - status: 正在回答
      - contentinfo:
        - textbox "输入消息"
        - button "停止"
    """)


def test_no_english_word_is_left_where_nothing_was_asked(chinese: Page, app: RunningApp) -> None:
    chinese.goto(app.url)
    expect(chinese.get_by_role("button", name="发送")).to_be_visible()
    words = set(re.findall("[A-Za-z]+", chinese.locator("body").inner_text()))
    assert words == {"sse", "bridge", "English"}


def test_a_failure_is_told_in_chinese(chinese: Page, app: RunningApp, model: OpenAIDouble) -> None:
    model.queue(Reply(at={2: Fault()}))
    chinese.goto(app.url)
    ask(chinese, "讲个故事")
    failure = chinese.get_by_role("article", name="回答").locator(".failure")
    expect(failure).to_contain_text("已中断。 (upstream_error)")
    expect(chinese.get_by_role("button", name="重试")).to_be_visible()
    expect(chinese.get_by_role("status")).to_contain_text("出错了. 回答时出错")


def test_the_switch_turns_all_that_stands_there_and_a_reload_keeps_it(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    visit_and_ask(page, app.url, "Hello")
    expect(page.locator(".status")).to_contain_text("Done first token after")
    switch = page.get_by_role("button", name="中文")
    expect(switch).to_have_attribute("lang", "zh-CN")
    switch.click()
    language(page).to_have_attribute("lang", "zh-CN")
    answer = page.get_by_role("article", name="回答")
    expect(answer.locator(".status")).to_contain_text("已完成 首个 token 用时")
    expect(answer.locator(".text")).to_have_text("Hello, world")
    page.reload()
    expect(page.get_by_role("button", name="发送")).to_be_visible()
    page.get_by_role("button", name="English").click()
    language(page).to_have_attribute("lang", "en")
    expect(page.get_by_label("Your message")).to_be_visible()
    expect(page.get_by_role("button", name="Why is the sky blue?")).to_be_visible()


def test_every_word_of_the_page_has_its_chinese(chinese: Page, app: RunningApp) -> None:
    chinese.goto(app.url)
    keys = chinese.evaluate("""() => {
      const card = document.querySelector("template").content;
      const all = (name) => [document, card].flatMap((root) => [...root.querySelectorAll(name)]);
      return all("[data-say]").map((one) => one.dataset.say || one.textContent)
        .concat(all("[aria-label]").map((one) => one.dataset.label ?? one.ariaLabel));
    }""")
    source = chinese.evaluate("document.querySelector('script').textContent")
    assert len(keys) > 10
    assert [key for key in keys if f'"{key}": "' not in source] == []
