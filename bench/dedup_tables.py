"""The dedup benchmarks as lines of the table of results."""

from collections.abc import Mapping
from typing import Any

from bench.table import Row


def exact_index_rows(result: Mapping[str, Any]) -> list[Row]:
    """Rates, memory, image."""
    what = f"exact index, {result['rows']:,} keys really inserted"
    rates = f"{result['insert_m_per_s']} M/s, {result['last_tenth_m_per_s']} in the last tenth"
    return [
        Row(f"{what}: CPU", "≥ 10 M/s", f"{rates}; known keys {result['known_m_per_s']} M/s"),
        Row(f"{what}: memory", "≤ 6.5 B a key", f"{result['rss_bytes_per_row']} B"),
        Row(
            f"{what}: image saved, loaded",
            "≤ 15 s, ≤ 10 s",
            f"{result['save']['wall_s']} s, {result['load']['wall_s']} s",
        ),
        Row(f"{what}: wrongly taken for known", "–", f"{result['wrong']}"),
    ]


def decontaminate_rows(result: Mapping[str, Any]) -> list[Row]:
    """Quality and speed of each rule."""
    rows = []
    for rule, found in ((name, told) for name, told in result.items() if isinstance(told, dict) and "ngrams" in told):
        what = f"{result['planted']:,} items of GSM8K and MATH-500 planted in {result['rows']:,} rows, {rule}"
        recall = f"{found['recall_verbatim']:.2%}, {found['recall_edited']:.2%}"
        rows += [
            Row(f"{what}: recall verbatim, edited", "100 %, ≥ 95 %", recall),
            Row(f"{what}: wrongly dropped", "≤ 0.01 %", f"{found['false_positive_share']:.4%}"),
            Row(f"{what}: CPU", "≥ 200,000 rows/s", f"{found['rows_per_s_core']:,} rows/s"),
        ]
    return rows


def kernel_rows(result: Mapping[str, Any]) -> list[Row]:
    """Rates on rows of 26 words."""
    rates = ", ".join(f"{case} {rate['median']:.2f}" for case, rate in result["medium"]["million_rows_per_s"].items())
    times = result["times_simhash_package"]
    against = "not installed" if times is None else f"{times} ×"
    return [
        Row("dedup kernels, rows of 26 words, M rows/s of CPU", "packed to simhash ≥ 2", rates),
        Row("packed to simhash, against the `simhash` package", "≥ 50 ×", against),
    ]


def near_rows(result: Mapping[str, Any]) -> list[Row]:
    """Rates and quality, by method."""
    rows = []
    for method in result["speed"]:
        rates = ", ".join(
            f"{shape} {found['rows_per_s_cpu'] / 1e6:.2f}" for shape, found in result["speed"][method].items()
        )
        target = "–" if method == "minhash" else "≥ 0.8"
        rows.append(Row(f"{method}, texts to decisions, {result['rows']:,} rows, M rows/s of CPU", target, rates))
    for method in result["quality"]:
        found = ", ".join(
            f"{shape} {each['recall']:.4f} / {each['precision']:.4f}"
            for shape, each in result["quality"][method].items()
        )
        target = {"jaccard": "≥ 0.99 / ≥ 0.98", "minhash": "≥ 0.98 / –"}.get(method, "–")
        rows.append(Row(f"{method}: recall / precision at J ≥ 0.9, all pairs", target, found))
    within = result["within_distance"]
    rows.append(
        Row(f"simhash, all pairs of {within['rows']:,} rows: recall within the distance", "1", f"{within['recall']}")
    )
    return rows


def scale_rows(result: Mapping[str, Any]) -> list[Row]:
    """One index filled."""
    what = f"simhash index, {result['rows']:,} signatures, a fifth planted copies"
    later = result["at_1e9"]
    room = f"index {later['index_gb']} GB, evidence {later['evidence_gb']} GB"
    return [
        Row(
            f"{what}: CPU",
            "≥ 500,000 rows/s",
            f"{result['rows_per_s_cpu']:,}, {result['rows_per_s_cpu_last_tenth']:,} in the last tenth",
        ),
        Row(
            f"{what}: index, evidence",
            "≤ 14 B, ≤ 24 B",
            f"{result['index_bytes_per_row']} B, {result['evidence_bytes_per_row']} B (ids among it)",
        ),
        Row(f"{what}: recall of planted copies; given up", "≥ 0.99", f"{result['recall']}; {result['given_up']}"),
        Row(
            "the same at 1e9, by arithmetic",
            "–",
            f"{room}, at most {later['cpu_hours_at_most']} h of CPU",
        ),
    ]


def semantic_rows(result: Mapping[str, Any]) -> list[Row]:
    """One line."""
    what = f"dedup by meaning, {result['rows']:,} vectors of {result['dimensions']} dimensions given"
    figures = (
        f"{result['cpu_ms_per_row']} ms, {result['bytes_per_row']:,} B; {result['copies_missed_share']:.2%} missed"
    )
    return [Row(f"{what}: CPU and memory a row; copies", "–", figures)]


def job_rows(result: Mapping[str, Any]) -> list[Row]:
    """The whole command."""
    what = f"`personastream dedup`, {result['rows']:,} personas, exact and {result['method']}, zstd in and out"
    return [
        Row(f"{what}: rows per second of CPU", "≥ 400,000", f"{result['rows_per_cpu_s']:,}"),
        Row(f"{what}: memory beside the indexes", "≤ 300 MB", f"{result['rss_beside_index_mb']} MB"),
    ]


def peer_rows(result: Mapping[str, Any]) -> list[Row]:
    """One line a package."""
    rows = []
    for name, found in result["table"].items():
        quality = f", recall {found['recall']:.3f}, precision {found['precision']:.3f}" if "recall" in found else ""
        times = found["times_ours"]
        ratio = f"{times['median']:g} × ours [{times['min']:g}–{times['max']:g}]"
        target = "≥ 5 ×" if name == "rensa" else "–"
        figures = f"{found['rows_per_s']:,} rows/s, {ratio}, {found['bytes_per_row']:,} B a row{quality}"
        rows.append(Row(f"near dedup by {name}, {found['rows']:,} rows of 26 words, CPU", target, figures))
    return rows
