"""`assay generate`, `edit` and `describe` as a user runs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from provider_wire import Wire, b64, painting, reply, said
from pytest_httpserver import HTTPServer

from assay.cli import main

Assay = Callable[..., tuple[int, str, str]]


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    """Run the console script in this process; returns exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["assay", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        told = capsys.readouterr()
        return int(stop.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def wire(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return Wire(httpserver, [])


def made(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def test_pictures_are_written_signed_under_names_from_their_hash_and_never_over_another(
    assay: Assay, tmp_path: Path
) -> None:
    arguments = ("generate", "my secret lake", "-n", "2", "--seed", "4", "--size", "96x64", "-o", tmp_path)
    code, out, err = assay(*arguments)
    assert code == 0
    assert "shows: " in out
    assert "which nobody else trusts" in err
    first = {path: path.read_bytes() for path in made(tmp_path)}
    assert len(first) == 2
    for path, content in first.items():
        told = said(content)
        assert (told.state, told.source_type) == ("Trusted", "algorithmicMedia")
        assert told.ours["receivedSha256"].startswith(path.stem.removeprefix("procedural-"))
        assert b"secret" not in content
        assert "secret" not in path.name
    assert assay(*arguments)[0] == 0
    assert len(made(tmp_path)) == 4
    assert all(path.read_bytes() == content for path, content in first.items())


def test_a_disclosed_prompt_is_in_the_manifest_and_in_the_name(assay: Assay, tmp_path: Path) -> None:
    code, out, _ = assay(
        "generate", "A lake!", "--disclose-prompt", "--no-training", "--size", "96x64", "-o", tmp_path, "--json"
    )
    document = json.loads(out)
    path = Path(document["pictures"][0]["path"])
    assert code == 0
    assert path.name.startswith("a-lake-")
    told = said(path.read_bytes())
    assert told.ours["prompt"] == "A lake!"
    assert any(assertion["label"] == "cawg.training-mining" for assertion in told.manifest["assertions"])
    assert document["pictures"][0]["development"] is True


def test_an_edit_leaves_the_original_and_has_it_as_parent(assay: Assay, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(painting())
    code, _, _ = assay("edit", photo, "warmer", "-o", tmp_path / "out")
    assert code == 0
    assert photo.read_bytes() == painting()
    told = said(made(tmp_path / "out")[0].read_bytes())
    assert told.labels == ["c2pa.opened", "c2pa.edited"]
    assert told.ingredients == [("parentOf", "photo.png")]
    assert told.source_type == "algorithmicallyEnhanced"


def test_a_description_keeps_alt_text_and_caption_apart(assay: Assay, tmp_path: Path) -> None:
    assay("generate", "a lake", "--size", "96x64", "--format", "jpeg", "-o", tmp_path)
    code, out, _ = assay("describe", made(tmp_path)[0])
    assert code == 0
    alt_text, caption = out.splitlines()
    assert alt_text.startswith("Alt text: Landscape in")
    assert caption.startswith("Caption:  Landscape in")
    assert alt_text.removeprefix("Alt text: ") != caption.removeprefix("Caption:  ")
    document = json.loads(assay("describe", made(tmp_path)[0], "--json")[1])
    assert document["alt_text"] == alt_text.removeprefix("Alt text: ")


def test_a_providers_pictures_and_facts_come_through(assay: Assay, wire: Wire, tmp_path: Path) -> None:
    wire.answer(reply({"created": 1, "data": [{"b64_json": b64(painting())}]}, headers={"x-request-id": "req_5"}))
    code, out, _ = assay(
        "generate", "x", "--provider", "openai", "--model", "gpt-image-x", "--endpoint", f"{wire.url}/v1",
        "--size", "1536x864", "--format", "webp", "--set", "quality=high", "--set", "output_compression=80", "-o", tmp_path,
    )  # fmt: skip
    assert code == 0
    assert wire.requests[0].json == {
        "prompt": "x", "model": "gpt-image-x", "n": 1, "size": "1536x864", "output_format": "webp",
        "quality": "high", "output_compression": 80,
    }  # fmt: skip
    assert "made by openai, gpt-image-x" in out
    told = said(made(tmp_path)[0].read_bytes())
    assert told.ours["requestId"] == "req_5"
    assert told.ours["parameters"] == {"quality": "high", "output_compression": 80}


def test_a_refusal_is_the_providers_reason_and_no_traceback(assay: Assay, wire: Wire, tmp_path: Path) -> None:
    error = {"code": "moderation_blocked", "message": "Rejected \u202e by the safety system."}
    wire.answer(reply({"error": error}, status=400))
    code, out, err = assay(
        "generate", "x", "--provider", "openai", "--model", "m", "--endpoint", f"{wire.url}/v1", "-o", tmp_path
    )
    assert code == 1
    assert out == ""
    assert err == "assay: refused by openai: Rejected \\u{202e} by the safety system. [moderation_blocked]\n"
    assert made(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said_why"),
    [
        (("generate", "x", "--size", "big"), 2, "no size"),
        (("generate", "x", "--set", "quality"), 2, "NAME=VALUE"),
        (("generate", "x", "--set", "scene=portrait"), 1, "no scene 'portrait'"),
        (("generate", "x", "--provider", "diffusers"), 1, "needs a model"),
        (("generate", "x", "--provider", "google"), 1, "no connection"),
        (("edit", "no-such.png", "x"), 1, "no such file"),
        (("describe", "no-such.png"), 1, "no such file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(assay: Assay, arguments: Any, code: int, said_why: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for variable in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    result, out, err = assay(*arguments)
    assert result == code
    assert said_why in err
    assert out == ""
