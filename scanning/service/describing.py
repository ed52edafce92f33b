"""The OpenAPI description: what the framework finds of the routes, completed by schemas, true failures, and an example of each.

Rules: a test follows every example against a real server, and holds every answer to its schema here; schemas of documents are
those of docs/schema; what the framework supposes and this server does not do (422 for a malformed parameter) is taken out.
"""

import json
from importlib.resources import files
from typing import Any

from assay.scanning.service.examples import DOCUMENTS, EXAMPLES, PROBLEMS, SCHEMAS, Example, problems

Description = dict[str, Any]
_DOCUMENTS = ("report-1", "custody-1", "label-1", "label-trail-1", "job-1", "recovery-1")
_OPEN = ("/healthz", "/readyz", "/v1/services/", "/.well-known/")  # no key is asked for
_ABOUT = (
    "Where keys were made, examinations ask for one: `Authorization: Bearer …`, or as the password of HTTP Basic. What a route "
    "refuses is `application/problem+json` (RFC 9457); a content that cannot be examined is the command's own failure document."
)


def completed(description: Description) -> Description:
    """The framework's description, in place."""
    if "securitySchemes" in description["components"]:
        return description
    description["info"]["description"] = _ABOUT
    components = description["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        del components["schemas"][unused]
    components["schemas"] |= {name: _document(name) for name in _DOCUMENTS} | SCHEMAS
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer"},
        "browser": {"type": "http", "scheme": "basic", "description": "Any user name, and the key as the password."},
    }
    for path, item in description["paths"].items():
        for method, operation in item.items():
            _complete(operation, path, EXAMPLES[f"{method.upper()} {path}"])
    return description


def _complete(operation: Description, path: str, example: Example) -> None:
    answers = operation["responses"]
    if "HTTPValidationError" in json.dumps(answers.get("422", {})):
        del answers["422"]
        answers.setdefault("400", problems(400)[400])
    answers.setdefault("403", problems(403)[403])
    operation["security"] = [] if path.startswith(_OPEN) else [{}, {"key": []}, {"browser": []}]
    operation["x-codeSamples"] = [{"lang": "Shell", "source": example.call}]
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.parameters:
            parameter["example"] = example.parameters[parameter["name"]]
    for status, answer in answers.items():
        if status in PROBLEMS and int(status) not in example.answers:
            content = {"schema": _named("problem"), "example": PROBLEMS[status]["example"]}
            answer["content"] = {"application/problem+json": content}
    for code, shown in example.answers.items():
        answer = answers[str(code)]
        answer["description"] = shown.described
        answer["content"] = content = {}
        if shown.document:
            content[shown.kind] = {"schema": _named(shown.schema), "example": DOCUMENTS[shown.document]}
        elif shown.kind:
            content[shown.kind] = {"schema": {"type": "string"}}
    if example.asked:
        operation["requestBody"]["content"]["application/json"]["example"] = DOCUMENTS[example.asked]


def _named(schema: str) -> Description:
    return {"$ref": f"#/components/schemas/{schema}"}


def _document(name: str) -> Description:
    """A schema of docs/schema as a component: its own definitions are found from the description's root."""
    text = (files("assay") / "docs" / "schema" / f"{name}.json").read_text()
    schema: Description = json.loads(text.replace('"#/$defs/', f'"#/components/schemas/{name}/$defs/'))
    del schema["$id"], schema["$schema"]
    return schema
