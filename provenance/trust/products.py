"""The conforming-products list of the C2PA conformance programme, joined to certificates by record identifier.

Rules: a record is only worth showing for a certificate that an official list vouches for; its subject must match.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

from assay.provenance.trust.certificates import CertificateNames
from assay.provenance.trust.reading import TrustListRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One record: which product may sign with such certificates, and up to which assurance level."""

    record: str
    applicant: str
    common_name: str
    organisation: str
    kind: str  # generatorProduct, validatorProduct
    status: str  # conformant, or what became of it
    max_assurance_level: int | None
    min_version: str
    conformance_date: str

    def names_match(self, holder: CertificateNames) -> bool:
        """Whether the certificate's subject is the product's: conformance programme 0.2."""
        return (self.common_name, self.organisation) == (holder.common_name, holder.organisation)


@lru_cache(maxsize=4)
def read_products(name: str, content: bytes) -> tuple[Product, ...]:
    """The records of a conforming-products list (JSON). Raises `TrustListRefused` where it is none."""
    try:
        products = tuple(map(_product, json.loads(content)))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrustListRefused(f"{name}: not a complete list of conforming products: {error}", "get it again") from None
    if not products:
        raise TrustListRefused(f"{name}: it holds no product")
    return products


def _product(record: dict[str, object]) -> Product:
    product = _mapping(record["product"])
    subject, assurance = _mapping(product["DN"]), _mapping(product.get("assurance") or {})
    level = assurance.get("maxAssuranceLevel")
    return Product(
        record=str(record["recordId"]).lower(),
        applicant=str(record.get("applicant", "")),
        common_name=str(subject.get("CN", "")),
        organisation=str(subject.get("O", "")),
        kind=str(product.get("productType", "")),
        status=str(record.get("status", "")),
        max_assurance_level=level if isinstance(level, int) else None,
        min_version=str(product.get("minVersion", "")),
        conformance_date=str(_mapping(record.get("dates") or {}).get("conformance", "")),
    )


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return value
