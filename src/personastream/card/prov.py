"""Lineage as PROV-JSON (https://www.w3.org/submissions/prov-json/): which run used which files and models, and what
it made. Names stand in labels; ids are made of run ids and numbers alone.
"""

from typing import Any

from personastream.card.facts import CardFacts, StageFacts

PREFIXES = {"ps": "urn:personastream:", "dct": "http://purl.org/dc/terms/"}


def prov(facts: CardFacts) -> dict[str, Any]:
    """The whole document."""
    graph = _Graph()
    graph.add("agent", "ps:personastream", {**_type("prov:SoftwareAgent"), **_label(f"personastream {facts.version}")})
    runs = {stage.name: stage.run_id for stage in facts.stages}
    for stage in facts.stages:
        _stage(graph, stage, runs)
    for place, file in enumerate(facts.files):
        entity = f"ps:file:{file.run_id}.{place}"
        told = {"ps:sha256": file.sha256, "ps:bytes": file.size_bytes}
        graph.add("entity", entity, {**_label(file.path), **told})
        graph.relate("wasDerivedFrom", {"prov:generatedEntity": entity, "prov:usedEntity": f"ps:records:{file.run_id}"})
    return {"prefix": PREFIXES, **graph.document}


def _stage(graph: "_Graph", stage: StageFacts, runs: dict[str, str]) -> None:
    activity, records = f"ps:activity:{stage.run_id}", f"ps:records:{stage.run_id}"
    begun = {"prov:startTime": stage.sampled.first or stage.created}
    ended = {"prov:endTime": stage.sampled.last} if stage.finished and stage.sampled.last else {}
    graph.add("activity", activity, {**_label(stage.name), **begun, **ended, "ps:recipe": stage.recipe})
    told = {"ps:rows": stage.counts.delivered, "ps:synthetic": {"$": "true", "type": "xsd:boolean"}}
    graph.add("entity", records, {**_type("prov:Collection"), **_label(f"records of {stage.name}"), **told})
    graph.relate("wasGeneratedBy", {"prov:entity": records, "prov:activity": activity})
    graph.relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": "ps:personastream"})
    for place, model in enumerate(stage.sampled.models):
        agent = f"ps:model:{stage.run_id}.{place}"
        graph.add("agent", agent, {**_type("prov:SoftwareAgent"), **_label(model)})
        graph.relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})
        graph.relate("wasAttributedTo", {"prov:entity": records, "prov:agent": agent})
    for place, template in enumerate(stage.sampled.templates):
        plan = f"ps:template:{stage.run_id}.{place}"
        graph.add("entity", plan, {**_type("prov:Plan"), **_label(template)})
        graph.relate("used", {"prov:activity": activity, "prov:entity": plan})
    if stage.reads:
        for earlier in stage.reads:
            graph.use(activity, records, f"ps:records:{runs[earlier]}")
        return
    for place, source in enumerate(stage.sources):
        shard = f"ps:shard:{stage.run_id}.{place}"
        told = {"dct:license": source.licence or "NOASSERTION", "ps:fingerprint": source.fingerprint}
        graph.add("entity", shard, {**_label(source.name), **told, "ps:bytes": source.size_bytes})
        graph.use(activity, records, shard)


class _Graph:
    """A document under way; relations are numbered."""

    def __init__(self) -> None:
        self.document: dict[str, dict[str, dict[str, Any]]] = {}

    def add(self, kind: str, name: str, told: dict[str, Any]) -> None:
        self.document.setdefault(kind, {})[name] = told

    def relate(self, kind: str, ends: dict[str, str]) -> None:
        several = self.document.setdefault(kind, {})
        several[f"_:{kind}{len(several)}"] = ends

    def use(self, activity: str, made: str, used: str) -> None:
        """An activity has used something, and what it made comes from that."""
        self.relate("used", {"prov:activity": activity, "prov:entity": used})
        self.relate("wasDerivedFrom", {"prov:generatedEntity": made, "prov:usedEntity": used})


def _label(text: str) -> dict[str, Any]:
    return {"prov:label": text}


def _type(name: str) -> dict[str, Any]:
    return {"prov:type": {"$": name, "type": "prov:QUALIFIED_NAME"}}
