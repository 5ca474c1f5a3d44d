"""The pictures of the examples' pages in the docs: `python -m browser.screenshots`, in tests/.

With names behind it, it makes only those. The model is a double that waits for permission before each token,
and the browser's clock stands still but for the time that is given to it here, so that every run makes the same
pictures.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

import components
from doubles import Fault, OpenAIDouble, Reply
from example_apps import address, asking, start

from . import react_page
from .conftest import FLAGS

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DESKTOP: dict[str, Any] = {"viewport": {"width": 800, "height": 560}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640},
    "is_mobile": True,
    "has_touch": True,
}
LOW: dict[str, Any] = {"viewport": {"width": 800, "height": 350}}
DARK: dict[str, Any] = {**DESKTOP, "color_scheme": "dark"}

QUESTION = "Why is the sky blue?"
THOUGHT = "A short answer will do: scattering, and why not violet."
ANSWER = (
    "Sunlight holds every colour. On its way through the air, blue light is scattered far more than"
    " red, because its waves are shorter: the strength grows with the fourth power of the"
    " frequency. So blue comes to your eye from all over the sky, and the sun itself looks a little"
    " yellow.\n\nViolet is scattered even more, but the sun sends less of it, and our eyes see it"
    " badly."
)
FIRST_TOKEN, EACH_TOKEN = 310, 24  # milliseconds


def pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]


TEXT, REASONING = pieces(ANSWER), pieces(THOUGHT)
HALF = 34  # tokens of the text


class Scene:
    """A page on which time and tokens pass as they are told to."""

    input, button, waiting = "Your message", "Send", "Waiting for the model"
    thought, text = ".assistant details p", ".assistant .text"

    def __init__(self, page: Page, model: OpenAIDouble, kill: Callable[[], None]) -> None:
        self.page, self.model, self.kill = page, model, kill

    def prepare(self, url: str, folder: Path) -> str:
        """Make the page ready; gives its address."""
        return url

    def ask(self, **turns: Any) -> None:
        self.model.queue(Reply(TEXT, reasoning=REASONING, gated=True, **turns))
        self.page.get_by_label(self.input).fill(QUESTION)
        self.page.get_by_role("button", name=self.button).click()
        expect(self.page.get_by_text(self.waiting).first).to_be_visible()
        self.model.release()  # the role

    def hear(self, tokens: int) -> None:
        """Let the thought and so many tokens of the text come, each in its time."""
        said = self.page.locator(self.thought)
        for number in range(1, len(REASONING) + tokens + 1):
            self.page.clock.run_for(FIRST_TOKEN if number == 1 else EACH_TOKEN)
            self.model.release()
            heard = REASONING[:number]
            if number > len(REASONING):
                said = self.page.locator(self.text)
                heard = TEXT[: number - len(REASONING)]
            expect(said).to_have_text("".join(heard), use_inner_text=False)

    def until(self, state: str) -> None:
        expect(self.page.locator(f'[data-state="{state}"]')).to_be_visible()


class ReactScene(Scene):
    input, button, waiting = "Your question", "Ask", "streaming"
    thought, text = "article details p", "article .text"

    def prepare(self, url: str, folder: Path) -> str:
        react_page.put(self.page, react_page.build(folder / "project"), url)
        return f"{url}/react/page.html"


def streaming(scene: Scene) -> None:
    scene.ask()
    scene.hear(HALF)


def done(scene: Scene) -> None:
    scene.ask()
    scene.hear(len(TEXT))
    scene.model.release(3)  # finish, usage, [DONE]
    scene.until("done")
    scene.page.get_by_text("Reasoning").click()


def stopped(scene: Scene) -> None:
    streaming(scene)
    scene.page.keyboard.press("Escape")
    scene.until("stopped")


def error(scene: Scene) -> None:
    scene.ask(at={1 + len(REASONING) + HALF: Fault()})
    scene.hear(HALF)
    scene.model.release()
    scene.until("error")


def truncated(scene: Scene) -> None:
    streaming(scene)
    scene.kill()
    scene.until("truncated")


PICTURES: dict[str, tuple[type[Scene], Callable[[Scene], None], dict[str, Any]]] = {
    "chat-streaming": (Scene, streaming, DESKTOP),
    "chat-done": (Scene, done, DARK),
    "chat-stopped": (Scene, stopped, DESKTOP),
    "chat-error": (Scene, error, DESKTOP),
    "chat-truncated": (Scene, truncated, DESKTOP),
    "chat-phone": (Scene, error, PHONE),
    "react-streaming": (ReactScene, streaming, LOW),
}


@contextmanager
def scene(browser: Browser, kind: type[Scene], look: dict[str, Any]) -> Iterator[Scene]:
    with OpenAIDouble() as model, tempfile.TemporaryDirectory() as folder:
        settings = asking(model, Path(folder))
        with start("starlette", settings) as process, browser.new_context(**look) as context:
            try:
                page = context.new_page()
                page.clock.install()
                played = kind(page, model, process.kill)
                page.goto(played.prepare(address(process), Path(folder)))
                page.clock.pause_at(page.evaluate("Date.now() + 1000"))
                yield played
            finally:
                process.kill()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    chromium = components.program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in sys.argv[1:] or PICTURES:
            kind, play, look = PICTURES[name]
            path = IMAGES / f"{name}.png"
            with scene(browser, kind, look) as played:
                play(played)
                played.page.screenshot(path=path, animations="disabled")
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
