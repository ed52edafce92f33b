"""The page on generating names what there is."""

import ast
import re
from inspect import signature
from pathlib import Path

import assay
from assay.provenance.generating.procedural import Procedural
from assay.provenance.generating.provider import Request
from assay.provenance.generating.providers import PROVIDERS
from assay.provenance.generating.wrapping import signed

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "generating.md").read_text()


def test_every_provider_has_its_row_with_its_extra() -> None:
    rows = dict(re.findall(r"^\| `([a-z][a-z-]*)` \| `?([a-z]*)`? ?\|", PAGE, re.MULTILINE))
    assert rows == {name: extra for name, (_, _, extra) in PROVIDERS.items()}


def test_the_examples_are_python_and_the_options_exist() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        ast.parse(block)
    for option in ("disclose_prompt", "policy", "training_mining", "thumbnail", "timestamp", "provider"):
        assert option in (signed.__doc__ or "")
    for option in ("watermark", "soft_binding", "remember"):
        assert f"{option}=True" in blocks[2]
        assert option in signature(assay.signed).parameters


def test_the_command_lines_output_is_what_the_generator_says() -> None:
    request = Request(prompt="a lake in the mountains at dusk", seed=9, count=2)
    for output in Procedural().generate(request).outputs:
        assert f"shows: {output.alt_text}" in PAGE
