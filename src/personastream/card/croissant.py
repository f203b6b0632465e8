"""Croissant metadata (JSON-LD, version 1.1) with its fields for responsible AI: the files, their columns, how they
were made. http://docs.mlcommons.org/croissant/
"""

from collections.abc import Iterator
from typing import Any

from personastream.card.columns import Kind
from personastream.card.facts import CardFacts, StageFacts
from personastream.card.readme import LIMITS, card_licences
from personastream.licences.facts import facts_of
from personastream.records import NO_LICENCE

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
FORMATS = {
    "parquet": "application/x-parquet",
    "jsonl": "application/jsonlines",
    "jsonl.gz": "application/gzip",
    "jsonl.zst": "application/zstd",
}
TYPES: dict[Kind, str] = {"boolean": "sc:Boolean", "integer": "sc:Integer", "number": "sc:Float"}
PERSONAL = (
    "The personas are descriptions of people who do not exist, or are not meant. What a model has learnt about real "
    "people may stand in a text all the same: see which screens were on, under data preprocessing."
)
USES = (
    "Made for training and evaluating language models, as far as the licences of the sources and the terms of the "
    "models allow it. Not for statements about real people or groups, and not to pass for text that people wrote."
)
BIASES = (
    "Texts have the style, the views and the blind spots of the models that wrote them; personas that models have "
    "written lean towards what models find typical."
)


def croissant(facts: CardFacts) -> dict[str, Any]:
    """The whole document."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": f"file-{place}",
            "name": file.path,
            "contentUrl": file.path,
            "contentSize": f"{file.size_bytes} B",
            "encodingFormat": FORMATS[file.kind],
            "sha256": file.sha256,
        }
        for place, file in enumerate(facts.files)
    ]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "@id": f"urn:personastream:run:{facts.ends[0].run_id}",
        "conformsTo": CONFORMS_TO,
        "name": facts.title,
        "description": f"Synthetic data: {facts.rows:,} records that language models wrote, made from personas.",
        "keywords": ["synthetic", "personas", "machine-generated"],
        "license": [_licence(one) for one in card_licences(facts)] or [_licence(NO_LICENCE)],
        "citeAs": f"{facts.title}. Synthetic data made with personastream {facts.version}, {facts.made[:10]}.",
        "creator": {"@type": "sc:Organization", "name": f"personastream {facts.version}"},
        "dateCreated": facts.span[0][:10],
        "datePublished": facts.made[:10],
        "version": "1.0.0",
        "distribution": files,
        **({"recordSet": [_records(facts)]} if facts.columns and facts.files else {}),
        **_responsible(facts),
        "prov:wasGeneratedBy": [{"@id": f"urn:personastream:activity:{stage.run_id}"} for stage in facts.ends],
        "prov:wasDerivedFrom": [
            {"@id": f"urn:personastream:shard:{stage.run_id}.{place}"}
            for stage in facts.stages
            if not stage.reads
            for place in range(len(stage.sources))
        ],
    }


def _licence(licence: str) -> str:
    """A page that can be read, where there is one."""
    facts = facts_of(licence)
    return facts.url if facts else licence


def _records(facts: CardFacts) -> dict[str, Any]:
    """One set of records over all files; columns are named as they are, and numbered to be told apart."""
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"records/{place}",
            "name": name,
            "dataType": TYPES.get(kind, "sc:Text"),
            "source": {"fileObject": {"@id": "file-0"}, "extract": {"column": name}},
        }
        for place, (name, kind) in enumerate(facts.columns.items())
    ]
    return {"@type": "cr:RecordSet", "@id": "records", "name": "records", "field": fields}


def _responsible(facts: CardFacts) -> dict[str, Any]:
    models = dict.fromkeys(model for stage in facts.stages if stage.asks for model in stage.sampled.models)
    return {
        "rai:dataCollection": " ".join(_collection(facts)),
        "rai:dataCollectionType": ["Synthetic: written by language models"],
        "rai:dataCollectionTimeframe": list(facts.span),
        "rai:dataCollectionMissingData": " ".join(map(_missing, facts.stages)),
        "rai:dataPreprocessingProtocol": list(_steps(facts)) or ["None: no transform and no screen was on."],
        "rai:machineAnnotationTools": [f"{model} (author of the texts)" for model in models],
        "rai:dataBiases": [BIASES],
        "rai:dataLimitations": list(LIMITS),
        "rai:dataUseCases": [USES],
        "rai:personalSensitiveInformation": [PERSONAL],
        "rai:dataSocialImpact": "Text that passes for human writing can mislead; each record is marked as synthetic.",
        "rai:dataReleaseMaintenancePlan": "Rows of a person or a source can be purged from the run; export again then.",
    }


def _collection(facts: CardFacts) -> Iterator[str]:
    yield "No data was collected from people: every record was generated."
    for stage in facts.stages:
        if stage.asks:
            models = ", ".join(stage.sampled.models) or "no model yet"
            templates = ", ".join(stage.sampled.templates) or "no template"
            yield (
                f"Run {stage.name} asked {models} with {templates}, {stage.usage.requests:,} requests in all, and "
                f"delivered {stage.counts.delivered:,} of {stage.counts.settled:,} rows."
            )
        else:
            yield f"Run {stage.name} thinned {stage.counts.settled:,} rows to {stage.counts.delivered:,}."


def _missing(stage: StageFacts) -> str:
    ends = {"dropped": stage.counts.dropped, "dead": stage.counts.dead}
    told = [f"{end}: {reason} {rows:,}" for end, some in ends.items() for reason, rows in sorted(some.items()) if rows]
    return f"Rows of {stage.name} without a record, by reason: " + ("; ".join(told) or "none") + "."


def _steps(facts: CardFacts) -> Iterator[str]:
    for stage in facts.stages:
        for step in stage.steps:
            settings = ", ".join(f"{key} = {value}" for key, value in step.settings.items() if value not in (None, ""))
            yield f"{stage.name}: {step.kind} {step.type} ({settings})"
