"""Every rule on a file that its tool would write, and on a twin that only looks alike."""

import json
import re
import time
import tomllib
from importlib.resources import files

import jsonschema
import pytest
from metadata_files import (
    asset,
    exif_segment,
    iim,
    itext,
    jpeg,
    png,
    segment,
    source_type,
    text,
    tiff,
    user_comment,
    webp,
    xmp,
    xmp_segment,
    ztext,
)

from assay.detectors.evidence import Basis, Evidence, Origin, Silence
from assay.detectors.signals.rule_loading import RuleRefused, all_rules, parse_rules, rules_digest
from assay.detectors.signals.ruled import AiFieldsDeclaration, AppDeclaration, CreditDeclaration, GeneratorMetadata
from assay.detectors.subject import Subject
from assay.provenance.errors import AssayError

SIGNALS = (AiFieldsDeclaration, AppDeclaration, CreditDeclaration, GeneratorMetadata)
UUID = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"

A1111 = (
    "a lighthouse, <lora:sea:0.7>\nNegative prompt: blurry\n"
    "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1234567, Size: 832x1216, Model hash: 67ab2fd8ec, "
    "Model: juggernautXL_v9, Version: v1.10.1"
)
GRAPH = json.dumps(
    {
        "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "model": ["4", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dreamshaper_8.safetensors"}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
    }
)
WORKFLOW = json.dumps(
    {"nodes": [{"id": 3, "type": "KSampler"}, {"id": 4, "type": "SaveImage"}], "links": [[1, 3, 0, 4, 0, "IMAGE"]]}
)
HARMLESS_GRAPH = json.dumps(
    {"1": {"class_type": "LoadImage", "inputs": {}}, "2": {"class_type": "SaveImage", "inputs": {}}}
)
FOOOCUS = json.dumps({"base_model": "juggernautXL_v8", "prompt": "a lighthouse", "version": "Fooocus v2.5.5"})
NOVELAI = json.dumps({"prompt": "a lighthouse", "steps": 28, "seed": 77, "uc": "blurry", "sampler": "k_euler"})
DRAW_THINGS = json.dumps(
    {"c": "a lighthouse", "uc": "", "model": "sd_v1.5", "sampler": "DPM++ 2M", "steps": 20, "seed": 4}
)
SWARM = json.dumps({"sui_image_params": {"prompt": "a lighthouse", "model": "OfficialStableDiffusion/sd_xl_base_1.0"}})


def sef(name: str, value: str) -> bytes:
    """A Samsung trailer with one named block."""
    block = b"\0\0\xa1\x0b" + len(name).to_bytes(4, "little") + name.encode() + value.encode()
    entry = b"\0\0\xa1\x0b" + len(block).to_bytes(4, "little") + len(block).to_bytes(4, "little")
    directory = b"SEFH" + (106).to_bytes(4, "little") + (1).to_bytes(4, "little") + entry
    return block + directory + len(directory).to_bytes(4, "little") + b"SEFT"


def exif(tags=None, comment: bytes | None = None) -> bytes:
    return tiff(tags or {}, exif={0x9286: comment} if comment is not None else None)


def jpeg_exif(tags=None, comment: bytes | None = None) -> bytes:
    return jpeg(exif_segment(exif(tags, comment)))


def examine(content: bytes) -> list[Evidence]:
    subject = Subject(asset(content), AssayError("not verified"))
    return [made().examine(subject) for made in SIGNALS]


HITS = {
    "a1111": (png(text("parameters", A1111)), "Stable Diffusion web UI", "PNG parameters"),
    "a1111-jpeg": (jpeg_exif(comment=user_comment(A1111)), "Stable Diffusion web UI", "EXIF UserComment"),
    "a1111-little-endian": (
        jpeg_exif(comment=user_comment(A1111, big=False)),
        "Stable Diffusion web UI",
        "EXIF UserComment",
    ),
    "a1111-webp": (webp((b"EXIF", exif(comment=user_comment(A1111)))), "Stable Diffusion web UI", "EXIF UserComment"),
    "a1111-late-itxt": (
        png(itext("parameters", A1111, packed=True), late=True),
        "Stable Diffusion web UI",
        "PNG parameters",
    ),
    "a1111-ztxt": (png(ztext("parameters", A1111)), "Stable Diffusion web UI", "PNG parameters"),
    "sdnext": (
        jpeg_exif(
            comment=user_comment(
                "a\nSteps: 4, Size: 1024x1024, Scheduler: Flow, Seed: 4, CFG scale: 1.0, App: SD.Next, Version: 7657b49, "
                "Pipeline: Flux2KleinPipeline, Operations: txt2img, Model: FLUX.2-klein-9b-kv"
            )
        ),
        "SD.Next",
        "EXIF UserComment",
    ),
    "diffusion-parameters": (
        png(text("parameters", "a\nSteps: 50, CFG scale: 5, Seed: 2026, Model hash: 6374C9D1F4")),
        "an interface in the manner of",
        "PNG parameters",
    ),
    "vqgan-clip": (
        jpeg_exif({0x0131: "https://github.com/rkhamilton/vqgan-clip-generator"}),
        "VQGAN+CLIP",
        "EXIF Software",
    ),
    "civitai": (
        jpeg_exif(
            comment=user_comment('x\nSteps: 25, Cfg: 7, Civitai resources: [{"type":"checkpoint","modelName":"Pony"}]')
        ),
        "Civitai",
        "EXIF UserComment",
    ),
    "civitai-graph": (
        jpeg_exif(
            comment=user_comment(
                json.dumps({"1": {"class_type": "X", "inputs": {}}, "extraMetadata": '{"prompt":"a"}'})
            )
        ),
        "Civitai",
        "EXIF UserComment",
    ),
    "comfyui": (png(text("prompt", GRAPH), text("workflow", WORKFLOW)), "ComfyUI", "PNG prompt"),
    "comfyui-exif": (webp((b"EXIF", exif({0x0110: "prompt:" + GRAPH}))), "ComfyUI", "EXIF Model"),
    "comfyui-workflow": (png(text("workflow", WORKFLOW)), "ComfyUI", "PNG workflow"),
    "comfyui-workflow-exif": (webp((b"EXIF", exif({0x010F: "workflow:" + WORKFLOW}))), "ComfyUI", "EXIF Make"),
    "invokeai": (
        png(
            text(
                "invokeai_metadata",
                json.dumps({"positive_prompt": "a", "seed": 3, "model": {"name": "sdxl"}, "app_version": "5.0"}),
            )
        ),
        "InvokeAI",
        "PNG invokeai_metadata",
    ),
    "invokeai-mode": (
        png(text("invokeai_metadata", '{"generation_mode": "sdxl_txt2img"}')),
        "InvokeAI",
        "PNG invokeai_metadata",
    ),
    "invokeai-graph": (
        png(text("invokeai_graph", '{"nodes": {"a": {"type": "denoise_latents"}}, "edges": []}')),
        "InvokeAI",
        "PNG invokeai_graph",
    ),
    "invokeai-workflow": (
        png(text("invokeai_workflow", '{"nodes": [{"data": {"type": "denoise_latents"}}], "edges": []}')),
        "InvokeAI",
        "PNG invokeai_workflow",
    ),
    "invokeai-legacy": (
        png(
            text("sd-metadata", '{"model_weights": "sd-1.4", "app_id": "invoke-ai/InvokeAI", "image": {"prompt": []}}')
        ),
        "InvokeAI",
        "PNG sd-metadata",
    ),
    "invokeai-dream": (
        png(text("Dream", '"a lighthouse" -s 50 -S 4231 -W 512 -H 512 -C 7.5 -A k_lms')),
        "InvokeAI",
        "PNG Dream",
    ),
    "novelai": (png(text("Software", "NovelAI"), text("Comment", NOVELAI)), "NovelAI", "PNG Comment"),
    "novelai-title": (
        png(text("Title", "AI generated image"), text("Source", "Stable Diffusion XL C1E1DE52")),
        "NovelAI",
        "PNG Source",
    ),
    "novelai-exif": (
        webp(
            (b"EXIF", exif(comment=b"ASCII\0\0\0" + json.dumps({"seed": 3, "signed_hash": "A" * 86 + "=="}).encode()))
        ),
        "NovelAI",
        "EXIF UserComment",
    ),
    "fooocus": (png(text("fooocus_scheme", "fooocus"), text("parameters", FOOOCUS)), "Fooocus", "PNG parameters"),
    "fooocus-exif": (jpeg_exif({0x0131: "Fooocus v2.5.5"}, user_comment(FOOOCUS)), "Fooocus", "EXIF UserComment"),
    "fooocus-legacy": (
        jpeg(segment(0xFE, json.dumps({"prompt": "a", "negative_prompt": "", "performance": "Speed"}).encode())),
        "Fooocus",
        "COM",
    ),
    "swarmui": (png(text("parameters", SWARM)), "SwarmUI", "PNG parameters"),
    "swarmui-model": (jpeg_exif({0x0110: SWARM}), "SwarmUI", "EXIF Model"),
    "swarmui-comment": (jpeg_exif(comment=user_comment(SWARM)), "SwarmUI", "EXIF UserComment"),
    "easy-diffusion": (
        png(
            text("use_stable_diffusion_model", "sd-v1-4"),
            text("negative_prompt", ""),
            text("num_inference_steps", "25"),
        ),
        "Easy Diffusion",
        "PNG use_stable_diffusion_model",
    ),
    "easy-diffusion-json": (
        jpeg_exif(
            comment=user_comment('{"negative_prompt":"","num_inference_steps":25,"use_stable_diffusion_model":"sd"}')
        ),
        "Easy Diffusion",
        "EXIF UserComment",
    ),
    "draw-things": (
        png(
            itext(
                "XML:com.adobe.xmp",
                xmp(f"<exif:UserComment><rdf:Alt><rdf:li>{DRAW_THINGS}</rdf:li></rdf:Alt></exif:UserComment>"),
            )
        ),
        "Draw Things",
        "XMP exif:UserComment",
    ),
    "midjourney": (
        png(text("Description", f"a lighthouse --ar 3:2 --v 6.1 Job ID: {UUID}"), text("Author", "someone")),
        "Midjourney",
        "PNG Description",
    ),
    "midjourney-xmp": (
        jpeg(
            xmp_segment(
                source_type("trainedAlgorithmicMedia").replace(
                    "</rdf:Description>", f"<iptcExt:DigImageGUID>{UUID}</iptcExt:DigImageGUID></rdf:Description>"
                )
            )
        ),
        "Midjourney",
        "XMP Iptc4xmpExt:DigImageGUID",
    ),
    "flux-reference": (
        jpeg_exif({0x0131: "AI generated;txt2img;flux", 0x010F: "Black Forest Labs", 0x0110: "flux-dev"}),
        "FLUX",
        "EXIF Software",
    ),
    "flux2": (jpeg_exif({0x0131: "AI generated;flux2"}), "FLUX", "EXIF Software"),
    "black-forest-labs": (jpeg_exif({0x010F: "Black Forest Labs"}), "FLUX", "EXIF Make"),
    "grok": (jpeg_exif({0x010E: "Signature: " + "Ab9+" * 20, 0x013B: UUID}), "xAI Grok", "EXIF ImageDescription"),
    "ideogram": (jpeg_exif({0x010F: "Ideogram AI"}), "Ideogram", "EXIF Make"),
    "luma": (png(text("Comment", "Generated by Luma AI's Uni-1 model")), "Luma AI", "PNG Comment"),
    "firefly": (
        jpeg(xmp_segment(xmp(attributes='xmp:CreatorTool="Adobe Firefly"'))),
        "Adobe Firefly",
        "XMP xmp:CreatorTool",
    ),
    "dall-e": (jpeg_exif({0x0131: "OpenAI DALL-E 3"}), "OpenAI DALL·E", "EXIF Software"),
    "gpt-image": (jpeg_exif({0x0131: "gpt-image-1"}), "OpenAI GPT Image", "EXIF Software"),
    "stable-diffusion": (png(text("Software", "Stable Diffusion 3.5")), "Stable Diffusion", "PNG Software"),
    "iptc-ai-system": (
        jpeg(xmp_segment(xmp("<iptcExt:AISystemUsed>Imagen 4</iptcExt:AISystemUsed>"))),
        "an AI system",
        "XMP Iptc4xmpExt:AISystemUsed",
    ),
    "iptc-ai-prompt": (
        jpeg(xmp_segment(xmp("<iptcExt:AIPromptInformation>a lighthouse</iptcExt:AIPromptInformation>"))),
        "an AI system",
        "XMP Iptc4xmpExt:AIPromptInformation",
    ),
    "google-made": (
        jpeg(xmp_segment(xmp(attributes='photoshop:Credit="Made with Google AI"'))),
        "Google AI",
        "XMP photoshop:Credit",
    ),
    "google-made-iim": (jpeg(iim((110, "Made with Google AI"))), "Google AI", "IIM 2:110 Credit"),
    "bytedance-generation": (
        jpeg_exif(comment=user_comment('{"product":"dreamina","exportType":"generation"}')),
        "a ByteDance",
        "EXIF UserComment",
    ),
    "bytedance-label": (jpeg(segment(0xFE, b'{"aigc_info":{"aigc_label_type":1}}')), "a ByteDance", "COM"),
    "bytedance-label-flat": (png(text("Information", '{"aigc_label_type":2}')), "a ByteDance", "PNG Information"),
    "bytedance-type": (png(text("info", '{"aigc_info": {"aigc_type": 1}}')), "a ByteDance", "PNG info"),
}
COMPOSITES = {
    "google-edited": (jpeg(iim((110, "Edited with Google AI"))), "Google AI", "IIM 2:110 Credit"),
    "apple-clean-up": (
        jpeg(xmp_segment(xmp(attributes='photoshop:Credit="Apple Photos Clean Up"'))),
        "Apple Photos Clean Up",
        "XMP photoshop:Credit",
    ),
    "samsung-galaxy-ai": (
        jpeg(tail=sef("PhotoEditor_Re_Edit_Data", '{"genAIType": 2}')),
        "Samsung Galaxy AI",
        "SEF PhotoEditor_Re_Edit_Data",
    ),
}
TWINS = {
    "caption-flux": jpeg_exif({0x010E: "Flux of the tides, AI generated;txt2img;flux they said"}),
    "caption-credit": jpeg(xmp_segment(xmp("<dc:description>Made with Google AI</dc:description>"))),
    "credit-sentence": jpeg(iim((110, "Not Made with Google AI, photo: A. Person"))),
    "prompt-harmless": png(text("prompt", "What do you see?")),
    "prompt-json": png(text("prompt", '{"question": "why", "answer": {"class_type": 3}}')),
    "parameters-harmless": png(text("parameters", "exposure=2, steps: many, Sampler: none")),
    "steps-in-prose": jpeg(segment(0xFE, b"We took 30 Steps: 5, Sampler of cheese")),
    "recipe": png(text("parameters", "Steps: 3, Seed: pumpkin, CFG scale: none")),
    "workflow-other": png(text("workflow", '{"nodes": [{"type": "blur"}], "links": []}')),
    "samsung-no-ai": jpeg(tail=sef("PhotoEditor_Re_Edit_Data", '{"genAIType": 0, "clipInfo": {}}')),
    "signature-only": jpeg_exif({0x010E: "Signature: " + "Ab9+" * 20}),
    "artist-uuid-only": jpeg_exif({0x013B: UUID}),
    "software-gimp": png(text("Software", "GIMP 2.10"), text("Comment", "Created with GIMP")),
    "camera": jpeg_exif({0x010F: "Apple", 0x0110: "iPhone 15 Pro", 0x0131: "17.4"}),
    "title-about-ai": png(text("Title", "Midjourney and Stable Diffusion: a history")),
    "job-id-harmless": png(text("Description", "Print order, Job ID: 4711")),
    "guid-only": jpeg(xmp_segment(xmp(f"<iptcExt:DigImageGUID>{UUID}</iptcExt:DigImageGUID>"))),
    "label-zero": png(text("Information", '{"aigc_label_type":0}')),
    "make-luma": png(text("Source", "Luma AIR camera")),
    "dream-diary": png(text("Dream", "I was flying over the sea")),
    "fooocus-word": png(text("parameters", "Fooocus"), text("fooocus_scheme", "none")),
    "novelai-software-only-lookalike": png(text("Software", "NovelAIze 1.0")),
    "print-order": png(text("Description", f"Poster A2 -- matt, Job ID: {UUID}")),
    "no-ai-used": jpeg(
        xmp_segment(
            xmp(
                "<iptcExt:AISystemUsed>None</iptcExt:AISystemUsed><iptcExt:AIPromptInformation>n/a</iptcExt:AIPromptInformation>"
            )
        )
    ),
    "hf-job-word": png(text("hf-job-id", "none")),
}


@pytest.mark.parametrize("name", HITS)
def test_names_the_tool_and_the_field(name):
    content, tool, field = HITS[name]
    voices = [evidence for evidence in examine(content) if evidence.speaks]
    assert [(evidence.origin, evidence.basis) for evidence in voices] == [(Origin.SYNTHETIC, Basis.DECLARED)]
    assert tool in voices[0].generator
    assert field in {trace.field for trace in voices[0].traces}
    assert voices[0].statement.startswith(field.split(" ")[0])


@pytest.mark.parametrize("name", COMPOSITES)
def test_edits_are_composite_only(name):
    content, tool, field = COMPOSITES[name]
    (voice,) = [evidence for evidence in examine(content) if evidence.speaks]
    assert (voice.origin, voice.generator, voice.traces[0].field) == (Origin.COMPOSITE, tool, field)


@pytest.mark.parametrize("name", TWINS)
def test_twins_stay_silent(name):
    assert [evidence for evidence in examine(TWINS[name]) if evidence.speaks] == []


def test_models_are_drawn_out():
    voice = next(evidence for evidence in examine(HITS["comfyui"][0]) if evidence.speaks)
    assert "dreamshaper_8.safetensors" in voice.statement
    assert any(
        trace.field == "PNG prompt → model" and trace.value == "dreamshaper_8.safetensors" for trace in voice.traces
    )
    voice = next(evidence for evidence in examine(HITS["a1111"][0]) if evidence.speaks)
    assert {trace.field: trace.value for trace in voice.traces}["PNG parameters → model"] == "juggernautXL_v9"


def test_offsets_point_at_the_value():
    for name in ("a1111", "comfyui", "ideogram", "samsung"):
        content = COMPOSITES["samsung-galaxy-ai"][0] if name == "samsung" else HITS[name][0]
        voice = next(evidence for evidence in examine(content) if evidence.speaks)
        trace = voice.traces[0]
        assert content[trace.offset :].startswith(trace.value[:8].encode())


def test_graph_without_sampler_is_told_but_does_not_speak():
    evidence = examine(png(text("prompt", HARMLESS_GRAPH)))[3]
    assert evidence.silence is Silence.INCONCLUSIVE
    assert "existing picture" in evidence.statement


def test_deep_or_vast_json_is_bounded():
    deep = "[" * 900 + "]" * 900
    for value in ('{"nodes": ' + deep + ', "links": []}', "[" * 100_000, '{"1": ' * 900 + "1" + "}" * 900):
        for evidence in examine(
            png(*(text(key, value) for key in ("prompt", "workflow", "parameters", "invokeai_graph")))
        ):
            assert not evidence.speaks
    started = time.process_time()
    examine(png(*(text(f"k{number}", "[" + "[]," * 300_000 + "[]]") for number in range(30))))
    assert time.process_time() - started < 10


def test_privacy_edit_has_narrow_words():
    from assay.scanning.verdict import weigh
    from assay.scanning.words import headline

    verdict = weigh(examine(COMPOSITES["apple-clean-up"][0]))
    assert headline(verdict).endswith("were retouched with a tool that uses AI.")
    beside = GeneratorMetadata().examine(Subject(asset(HITS["comfyui"][0]), AssayError("not verified")))
    assert "retouched" not in headline(weigh([*examine(COMPOSITES["apple-clean-up"][0]), beside]))
    voice = next(evidence for evidence in examine(COMPOSITES["apple-clean-up"][0]) if evidence.speaks)
    assert "generated" not in voice.statement
    assert any("does not by itself make" in finding.statement for finding in voice.findings)


def test_every_rule_with_structure_is_exercised():
    """A rule that no made file triggers is a rule that nobody has seen work."""
    structured = {rule.id for rule in all_rules("") if "product's own name" not in rule.source}
    left_open = {
        "hugging-face-job",
        "a1111-postprocessing",
        "comfyui-without-sampler",
        "google-software",
        "iptc-ai-system-version",
        "iptc-ai-words",
    }
    assert structured - left_open <= {*HITS, *COMPOSITES}


@pytest.mark.parametrize(
    "rule", [rule for rule in all_rules("") if "product's own name" in rule.source], ids=lambda rule: rule.id
)
def test_product_names_count_only_where_software_signs(rule):
    written = {"reve": "reve.com", "recraft": "recraft v3", "krea": "krea.ai", "gemini-software": "gemini-3-pro-image"}
    name = written.get(rule.id, rule.tool)
    assert len([e for e in examine(jpeg_exif({0x0131: name})) if e.speaks]) == 1
    assert [e for e in examine(jpeg_exif({0x010E: name, 0x013B: name})) if e.speaks] == []


@pytest.mark.parametrize(
    "content",
    [
        png(text("postprocessing", "Postprocess upscale by: 4, Postprocess upscaler: R-ESRGAN 4x+")),
        jpeg_exif({0x0131: "Google"}),
        png(text("hf-job-id", UUID)),
        jpeg(xmp_segment(xmp("<iptcExt:AISystemVersionUsed>4</iptcExt:AISystemVersionUsed>"))),
    ],
)
def test_weak_fields_are_told_but_leave_the_origin_open(content):
    told = [evidence for evidence in examine(content) if evidence.traces]
    assert [evidence.silence for evidence in told] == [Silence.INCONCLUSIVE]


def ai_fields(**values: str) -> Evidence:
    written = "".join(f"<iptcExt:{name}>{value}</iptcExt:{name}>" for name, value in values.items())
    return AiFieldsDeclaration().examine(Subject(asset(jpeg(xmp_segment(xmp(written)))), AssayError("not verified")))


@pytest.mark.parametrize(
    "denial",
    [
        "No AI was used", "no", "None.", "not applicable", "n/a", "AI was not used", "AI wasn’t used for this", "keine", "Keine KI", "nicht verwendet",
        "KI wurde nicht eingesetzt", "Aucune", "sans IA", "L’IA n’a pas été utilisée", "ninguna", "nessuna", "nenhuma", "geen", "нет", "なし", "没有", "-", "0",
    ],
)  # fmt: skip
def test_who_writes_that_no_ai_was_used_is_not_said_to_have_used_it(denial):
    evidence = ai_fields(AISystemUsed=denial)
    assert not evidence.speaks
    assert evidence.statement.startswith(f"XMP Iptc4xmpExt:AISystemUsed holds “{denial}”") or denial == "-"
    assert not ai_fields(AISystemUsed="not applicable", AIPromptInformation="no prompt").speaks


@pytest.mark.parametrize(
    "system",
    ["Nano Banana 2", "Nova Canvas", "NovelAI", "Noise2Art", "Nightcafé", "Sinkin.ai", "Pascal", "无界AI", "Imagen 4"],
)
def test_a_product_is_no_denial_for_its_first_letters(system):
    evidence = ai_fields(AISystemUsed=system)
    assert (evidence.origin, evidence.statement) == (
        Origin.SYNTHETIC,
        f"XMP Iptc4xmpExt:AISystemUsed names “{system}” as the AI system used.",
    )


@pytest.mark.parametrize(
    "prompt", ["no humans, scenery, sunset", "Sin City alley at night", "Nothing but a red door", "without you"]
)
def test_a_prompt_may_begin_with_a_no(prompt):
    assert ai_fields(AIPromptInformation=prompt).origin is Origin.SYNTHETIC
    for denial in ("none", "No prompt", "no AI was used", "kein Prompt", "n/a"):
        assert not ai_fields(AIPromptInformation=denial).speaks


def test_both_fields_know_the_same_denials():
    """They stand in two rules, because a prompt may begin with one of them."""
    rules = {
        rule.id: rule.all[0].matches.pattern for rule in all_rules() if rule.id in ("iptc-ai-system", "iptc-ai-prompt")
    }
    first, second = (
        re.search(r"\(\?!\(\?:(.*?)\)\\b", rules[one], re.DOTALL)[1] for one in ("iptc-ai-system", "iptc-ai-prompt")
    )
    assert "kein" in first
    assert first == second


def test_free_text_is_quoted_and_a_long_one_shortened():
    street = ai_fields(AIPromptInformation="a street without cars, AI style")
    assert (
        street.statement == "XMP Iptc4xmpExt:AIPromptInformation gives “a street without cars, AI style” as the prompt."
    )
    assert f"“{'a' * 100}…”" in ai_fields(AIPromptInformation="a" * 300).statement


def rule_files():
    return [
        item for item in (files("assay") / "detectors" / "signals" / "rules").iterdir() if item.name.endswith(".toml")
    ]


@pytest.mark.parametrize("item", rule_files(), ids=lambda item: item.name)
def test_shipped_rules_follow_the_schema(item):
    schema = json.loads((files("assay") / "detectors" / "signals" / "rules" / "schema.json").read_text())
    jsonschema.validate(tomllib.loads(item.read_text("utf-8")), schema)


def test_patterns_are_fast_on_hostile_values():
    values = [
        "not " * 16_000,
        "Steps: 1, " * 7_000,
        "a" * 65_536,
        " -S 1 -s" * 8_000,
        "Job ID: " + "0" * 65_536,
        ", Model: " * 7_000,
    ]
    patterns = [
        p for rule in all_rules("") for p in (*(c.matches for c in rule.all), *(d.pattern for d in rule.draws)) if p
    ]
    started = time.process_time()
    for pattern in patterns:
        for value in values:
            pattern.search(value)
    assert time.process_time() - started < 5


RULE = """
[[rule]]
id = "house-generator"
signal = "generator-metadata"
tool = "our own generator"
origin = "synthetic"
meaning = "generated in our graphics department"
source = "the graphics department"
[[rule.all]]
fields = ["PNG x-house"]
matches = '^[0-9]{4}$'
"""


def test_a_newsroom_adds_a_rule_without_code(tmp_path, monkeypatch):
    (tmp_path / "house.toml").write_text(RULE)
    monkeypatch.setenv("ASSAY_RULES", str(tmp_path))
    signal = GeneratorMetadata()
    voice = signal.examine(Subject(asset(png(text("x-house", "2041"))), AssayError("not verified")))
    assert voice.generator == "our own generator"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (RULE.replace("synthetic", "fake"), "house-generator"),
        (RULE.replace("^[0-9", "^([0-9"), "house-generator"),
        (RULE.replace("matches", "matchs"), "matchs"),
        (RULE.replace("source =", "sauce ="), "sauce"),
        (RULE.replace("source =", 'says = "names {camera}"\nsource ='), "camera"),
        (RULE.split("[[rule.all]]")[0], "all"),
        ("[[rule]", "no TOML"),
        (RULE.replace("generator-metadata", "generator-magic"), "generator-magic"),
        (RULE.replace("synthetic", "captured"), "capture"),
    ],
)
def test_broken_rules_are_refused_with_their_place(broken, said):
    with pytest.raises(RuleRefused) as refusal:
        parse_rules(broken, name="house.toml")
    assert "house.toml" in str(refusal.value)
    assert said in str(refusal.value)


def test_a_changed_rule_changes_the_digest_that_results_are_remembered_by(tmp_path, monkeypatch):
    shipped = rules_digest()
    (tmp_path / "house.toml").write_text(RULE)
    monkeypatch.setenv("ASSAY_RULES", str(tmp_path))
    one = rules_digest()
    (tmp_path / "house.toml").write_text(RULE.replace("{4}", "{5}"))
    assert len({shipped, one, rules_digest()}) == 3


def test_unreadable_rule_files_are_refused(tmp_path):
    (tmp_path / "house.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleRefused, match="cannot be read"):
        all_rules(str(tmp_path))
    with pytest.raises(RuleRefused, match="no folder"):
        all_rules(str(tmp_path / "none"))


def test_an_identifier_may_not_occur_twice(tmp_path):
    (tmp_path / "house.toml").write_text(RULE.replace("house-generator", "comfyui"))
    with pytest.raises(RuleRefused, match="exists already"):
        all_rules(str(tmp_path))


def test_a_comment_in_utf16_without_its_code_is_read():
    content = jpeg_exif(comment=A1111.encode("utf-16-le"))
    assert [evidence.generator[:16] for evidence in examine(content) if evidence.speaks] == ["Stable Diffusion"]


def test_a_model_of_sdnext_is_not_called_by_another_tools_name():
    both = A1111.replace("Version: v1.10.1", "App: SD.Next, Version: 48027d4")
    assert [evidence.generator for evidence in examine(png(text("parameters", both))) if evidence.speaks] == ["SD.Next"]


def test_a_scan_names_the_tool_and_the_very_field():
    from assay.scanning.report.document import document
    from assay.scanning.scan import Scanner, standard_signals

    scanner = Scanner(signals=standard_signals(None))
    for name, (content, tool, field) in HITS.items():
        report = document(scanner.scan(asset(content, name=name)))
        speaking = [piece for piece in report["evidence"] if piece["origin"] == "synthetic"]
        assert any(tool in piece["generator"] for piece in speaking), name
        assert any(trace["field"] == field for piece in speaking for trace in piece["traces"]), name
        assert report["verdict"]["basis"] == "declared", name
        assert field.split(" ")[0] in report["verdict"]["who_says_so"], name
